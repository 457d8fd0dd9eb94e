select
    settlement.settlement_ref as ref,
    'settlement' as kind,
    settlement.lender,
    settlement.loan_id,
    settlement.state,
    settlement.dues_total,
    settlement.amount,
    settlement.waived,
    settlement.remainder,
    settlement.band,
    settlement.requested_by,
    settlement.requested_at,
    settlement.executed_on,
    settlement.reason,
    settlement.last_error,
    settlement.ended_at,
    settlement.approval_id
from core.core_settlement as settlement
union all
select
    write_off.write_off_ref as ref,
    'write-off' as kind,
    write_off.lender,
    write_off.loan_id,
    write_off.state,
    write_off.dues_total,
    0 as amount,
    0 as waived,
    write_off.dues_total as remainder,
    write_off.band,
    write_off.requested_by,
    write_off.requested_at,
    write_off.executed_on,
    write_off.reason,
    write_off.last_error,
    write_off.ended_at,
    write_off.approval_id
from core.core_write_off as write_off
union all
select
    foreclosure.foreclosure_ref as ref,
    'foreclosure' as kind,
    foreclosure.lender,
    foreclosure.loan_id,
    foreclosure.state,
    foreclosure.quoted_total as dues_total,
    foreclosure.quoted_total as amount,
    0 as waived,
    0 as remainder,
    null as band,
    foreclosure.requested_by,
    foreclosure.requested_at,
    foreclosure.executed_on,
    foreclosure.reason,
    foreclosure.last_error,
    foreclosure.ended_at,
    null as approval_id
from core.core_foreclosure as foreclosure
