-- Switches that stop posting.
select
    standing.lender,
    standing.channel,
    standing.state,
    1 as closed
from core.core_posting_switch_standing as standing
where standing.state <> 'open'
