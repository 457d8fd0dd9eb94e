select
    staged.number,
    staged.entity_id,
    staged.settlement_id,
    concat_ws(' ', known.amount, known.fee, known.net, known.settlement_utr) as before,
    concat_ws(' ', staged.amount, staged.fee, staged.net, staged.utr) as now
from settlement_line as staged
inner join raw.raw_gateway_settlement_line as known
    on
        known.gateway = %(gateway)s
        and known.lender = %(lender)s
        and staged.settlement_id = known.settlement_id
        and staged.entity = known.entity
        and staged.entity_id = known.entity_id
where
    (staged.amount, staged.fee, staged.net) is distinct from (known.amount, known.fee, known.net)
    or staged.utr <> known.settlement_utr
order by staged.number
limit 1
