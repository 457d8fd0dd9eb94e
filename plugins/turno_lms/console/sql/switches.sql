select
    switch.switch_id,
    switch.lender,
    switch.channel,
    switch.state,
    switch.reason,
    switch.set_by,
    switch.set_at,
    switch.switch_id = max(switch.switch_id) over (partition by switch.lender, switch.channel) as stands
from core.core_posting_switch as switch
