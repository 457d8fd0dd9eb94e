"""
### Show what is wrong with the lender mappings

This file declares no DAG. Where a mapping cannot be used, parsing it fails with file, line and hint of every problem:
that is the import error in Airflow's UI. The lender concerned has no `ingest__<lender>` until it is mended; the DAGs of
the others, which live in another file, are not touched by it.
"""

from airflow.sdk.exceptions import AirflowException

from turno_lms.lenders.registry import MappingError, load_lenders

try:
    load_lenders()
except MappingError as problems:
    raise AirflowException(
        f"lender mappings that cannot be used (dags are made of the others):\n{problems}"
    ) from None
