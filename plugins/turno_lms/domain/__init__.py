"""Pure rules: money, keys, business dates, names, states. No Airflow, no I/O, no clock."""
