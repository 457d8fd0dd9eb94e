select count(*) as lines
from (select distinct settlement_id, entity, entity_id from settlement_line) as staged
left join raw.raw_gateway_settlement_line as known
    on
        known.gateway = %(gateway)s
        and known.lender = %(lender)s
        and staged.settlement_id = known.settlement_id
        and staged.entity = known.entity
        and staged.entity_id = known.entity_id
where known.line_id is null
