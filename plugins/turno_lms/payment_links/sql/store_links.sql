with planned as (
    select
        given.reference,
        given.loan_id,
        given.client_id,
        given.due_on,
        given.amount
    from unnest(
        %(stored_references)s::text[], %(loan_ids)s::text[], %(clients)s::bigint[], %(dues)s::date[], %(amounts)s::numeric[]
    ) as given (reference, loan_id, client_id, due_on, amount)
)

insert into core.core_payment_link (
    reference, lender, loan_id, gateway, purpose, client_id, due_on, attempt, amount, state, accept_partial, replaces,
    created_by, created_by_run, changed_by_run
)
select
    planned.reference,
    %(lender)s,
    planned.loan_id,
    %(gateway)s,
    %(purpose)s,
    planned.client_id,
    planned.due_on,
    split_part(planned.reference, '_', 3)::integer,
    planned.amount,
    %(state)s,
    %(accept_partial)s,
    %(replaces)s,
    %(actor)s,
    %(run)s,
    %(run)s
from planned
