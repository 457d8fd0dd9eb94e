select
    promise.number,
    promise.due_on,
    promise.amount,
    promise.state
from core.core_settlement_promise as promise
where promise.settlement_ref = %s
order by promise.number
