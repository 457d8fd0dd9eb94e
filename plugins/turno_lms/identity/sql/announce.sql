insert into core.core_change_log (kind, subject)
select distinct 'identity', unit.posting_key
from payment_unit as unit
