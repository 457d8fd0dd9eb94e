create temporary table payment_link_question as
select
    'link_amount_mismatch' as kind,
    link.reference as subject,
    link.lender,
    link.loan_id,
    link.amount_paid as amount,
    jsonb_build_object('asked', link.amount::text, 'paid', link.amount_paid::text, 'state', link.state) as detail
from core.core_payment_link as link
where
    link.amount_paid > link.amount
    or (link.state = 'paid' and link.amount_paid <> link.amount)
    or (
        not link.accept_partial
        and exists (
            select 1 from core.core_payment_link_payment as part
            where part.link_id = link.link_id and part.amount <> link.amount
        )
    )
union all
-- another contact than the link went to, or money that was booked on another loan than the link is of
select
    'link_payer_mismatch' as kind,
    life.gateway_payment_reference as subject,
    life.lender,
    life.loan_id,
    life.payment_amount as amount,
    jsonb_build_object(
        'reference', life.reference, 'booked_on_loan', life.booked_on_loan, 'other_contact', paid.payer_differs
    ) as detail
from core.core_payment_link_life as life
inner join core.core_payment_link_payment as paid on life.gateway_payment_reference = paid.gateway_payment_reference
where paid.payer_differs or life.booked_on_loan <> life.loan_id
union all
select
    'link_paid_after_end' as kind,
    link.reference as subject,
    link.lender,
    link.loan_id,
    link.amount_paid as amount,
    jsonb_build_object('paid', link.amount_paid::text, 'end_reason', link.end_reason) as detail
from core.core_payment_link as link
where link.is_paid_after_end
union all
select
    'link_stale' as kind,
    link.reference as subject,
    link.lender,
    link.loan_id,
    link.amount - link.amount_paid as amount,
    jsonb_build_object('asked', link.amount::text, 'paid', link.amount_paid::text) as detail
from core.core_payment_link as link
where link.is_stale and link.state in ('open', 'partly_paid')
