insert into raw.raw_payment_link_call (
    reference, gateway, method, path, status_code, outcome, duration_ms, request, response, called_by_run
)
values (
    %(reference)s, %(gateway)s, %(method)s, %(path)s, %(status)s, %(outcome)s, %(duration_ms)s, %(request)s,
    %(response)s, %(run)s
)
