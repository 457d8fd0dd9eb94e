-- Payments of the last day that a gateway had and whose webhook never came.
select
    sweep.gateway,
    sweep.lender,
    sum(sweep.payments_landed) as missed
from core.core_gateway_sweep as sweep
where sweep.window_until > now() - interval '1 day'
group by sweep.gateway, sweep.lender
