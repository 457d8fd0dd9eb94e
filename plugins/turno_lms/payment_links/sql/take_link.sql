-- One due row, which is nobody else's for two minutes: longer than any call takes.
with due as (
    select waiting.link_id
    from core.core_payment_link as waiting
    where
        waiting.lender = %(lender)s
        and waiting.gateway = %(gateway)s
        and waiting.state in ('planned', 'sending')
        and waiting.next_try_at <= clock_timestamp()
    order by waiting.next_try_at, waiting.link_id
    limit 1
    for update skip locked
)

update core.core_payment_link as link
set next_try_at = clock_timestamp() + interval '2 minutes', tries = link.tries + 1
from due
where link.link_id = due.link_id
returning link.*, clock_timestamp() as taken_at
