-- Open links whose loan changed since they were quoted: another snapshot of it, or money that was posted or reversed.
-- One whose own money is collected and not yet in Fineract waits for that.
with open_link as (
    select link.*
    from core.core_payment_link as link
    where
        link.lender = %(lender)s
        and link.gateway = %(gateway)s
        and link.state in ('open', 'partly_paid')
        and not link.is_stale
)

select
    open_link.*,
    own.posted,
    clock_timestamp() as looked_at
from open_link
cross join lateral (
    select
        coalesce(sum(life.payment_amount) filter (where life.posting_state = 'posted'), 0) as posted,
        coalesce(
            bool_or(life.posting_state is null or life.posting_state not in ('posted', 'failed', 'withdrawn', 'reversed'))
            filter (where life.gateway_payment_reference is not null),
            false
        ) as is_under_way
    from core.core_payment_link_life as life
    where life.link_id = open_link.link_id
) as own
where
    not own.is_under_way
    and (
        %(every_link)s
        or exists (
            select 1
            from raw.raw_fineract_loan_snapshot as snapshot
            where upper(trim(snapshot.external_id)) = open_link.loan_id and snapshot.taken_at > open_link.quoted_at
        )
        or exists (
            select 1
            from core.core_transaction_data_processed as processed
            where processed.loan_id = open_link.loan_id and processed.processed_at > open_link.quoted_at
        )
    )
order by open_link.link_id
