select pg_try_advisory_lock(hashtextextended('payment links at ' || %(gateway)s || ' for ' || %(lender)s, 0)) as is_taken
