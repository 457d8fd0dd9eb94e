"""The assets that DAGs wait for: events of the business, not tables. Only their names are part of their identity.

A DAG that an asset wakes takes its work from tables, never from the event: after two events or two hundred, the end
is the same.
"""

from airflow.sdk import Asset

LENDER_FILES_LOADED = Asset("lender_files_loaded")
UMRN_MASTER_LOADED = Asset("umrn_master_loaded")
MANUAL_REPAYMENTS_ENTERED = Asset("manual_repayments_entered")
LOANS_SNAPSHOTTED = Asset("loans_snapshotted")
GATEWAY_EVENTS_LANDED = Asset("gateway_events_landed")
TRANSACTIONS_BUILT = Asset("transactions_built")
TRANSACTIONS_RECONCILED = Asset("transactions_reconciled")
