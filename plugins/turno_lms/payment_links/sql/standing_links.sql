-- What stands against a new link for each loan and due, and which attempts there were.
with asked as (
    select
        given.loan_id,
        given.due_on
    from unnest(%(loan_ids)s::text[], %(dues)s::date[]) as given (loan_id, due_on)
),

earlier as (
    select
        asked.loan_id,
        coalesce(
            max(link.attempt) filter (where link.due_on = asked.due_on and link.purpose = %(purpose)s), 0
        ) as attempts,
        bool_or(
            link.state in ('planned', 'sending', 'open', 'partly_paid', 'cancelling')
            and link.due_on = asked.due_on and link.purpose = %(purpose)s
        ) as is_live,
        -- earliest instalment, overdue and outstanding overlap: money of one is money of the others
        bool_or(link.state in ('planned', 'sending', 'open', 'partly_paid', 'cancelling')) as is_other_live
    from asked
    left join core.core_payment_link as link on asked.loan_id = link.loan_id
    group by asked.loan_id
),

-- Collected and not yet in Fineract: its quote still asks for this money.
under_way as (
    select life.loan_id
    from core.core_payment_link_life as life
    inner join asked on life.loan_id = asked.loan_id
    where
        life.gateway_payment_reference is not null
        and (life.posting_state is null or life.posting_state not in ('posted', 'failed', 'withdrawn', 'reversed'))
    union
    select queued.loan_id
    from core.core_fineract_pending_transactions as queued
    inner join asked on queued.loan_id = asked.loan_id
)

select
    earlier.loan_id,
    earlier.attempts,
    case
        when earlier.is_live then 'already_live'
        when earlier.is_other_live then 'other_link_live'
        when exists (select 1 from under_way where under_way.loan_id = earlier.loan_id) then 'payment_under_way'
    end as skip
from earlier
