select
    max(swept.window_until) as window_until,
    not coalesce(
        bool_or(
            swept.window_until - swept.window_from >= %(wide)s and swept.window_until > %(until)s - interval '1 day'
        ),
        false
    ) as is_wide_due
from core.core_gateway_sweep as swept
where swept.gateway = %(gateway)s and swept.lender = %(lender)s
