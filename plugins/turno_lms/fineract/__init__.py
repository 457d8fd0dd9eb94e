"""Fineract: the hook, typed calls, what answers mean, the API log, loan leases and snapshots."""
