select
    exists(
        select 1
        from core.core_payment_link as waiting
        where
            waiting.lender = %(lender)s
            and waiting.gateway = %(gateway)s
            and waiting.state in ('planned', 'sending')
            and waiting.next_try_at <= clock_timestamp() + %(within)s
    ) as is_any
