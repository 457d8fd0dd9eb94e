insert into raw.raw_gateway_settlement_line (
    report_id, line_number, gateway, lender, entity, entity_id, gateway_payment_id, method, amount, fee, tax, net,
    settlement_id, settlement_utr, settled_on, payload
)
select
    %(report_id)s,
    staged.number,
    %(gateway)s,
    %(lender)s,
    staged.entity,
    staged.entity_id,
    staged.payment_id,
    staged.method,
    staged.amount,
    staged.fee,
    staged.tax,
    staged.net,
    staged.settlement_id,
    staged.utr,
    staged.settled_on,
    staged.payload
from settlement_line as staged
order by staged.number
on conflict (gateway, lender, settlement_id, entity, entity_id) do nothing
