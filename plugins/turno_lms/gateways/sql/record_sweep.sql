insert into core.core_gateway_sweep (
    gateway, lender, window_from, window_until, payments_seen, payments_landed, orders_asked, swept_by_run
)
values (
    %(gateway)s, %(lender)s, %(window_from)s, %(window_until)s, %(payments_seen)s, %(payments_landed)s,
    %(orders_asked)s, %(run)s
)
