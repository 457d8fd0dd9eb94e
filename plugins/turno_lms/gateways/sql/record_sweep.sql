insert into core.core_gateway_sweep (
    gateway, lender, window_from, window_until, payments_seen, payments_landed, orders_asked, refunds_landed,
    tokens_landed, swept_by_run
)
values (
    %(gateway)s, %(lender)s, %(window_from)s, %(window_until)s, %(payments_seen)s, %(payments_landed)s,
    %(orders_asked)s, %(refunds_landed)s, %(tokens_landed)s, %(run)s
)
