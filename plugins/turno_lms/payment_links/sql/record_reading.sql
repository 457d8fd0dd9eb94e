insert into core.core_payment_link_reading (gateway, read_horizon)
values (%(gateway)s, %(read_horizon)s)
on conflict (gateway) do update set read_horizon = excluded.read_horizon, read_at = now()
