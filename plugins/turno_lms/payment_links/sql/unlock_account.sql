select pg_advisory_unlock(hashtextextended('payment links at ' || %(gateway)s || ' for ' || %(lender)s, 0)) as is_released
