"""`python -m local_stack.airflow_metadata POOLS.json`: Airflow's tables and pools, in one process."""

import json
import sys
from pathlib import Path


def main(pools_file: str) -> None:
    """Bring the metadata database to this Airflow's version and make the pools as the file lists them."""
    import airflow  # noqa: F401  sets up what the imports below rely on
    from airflow.models.pool import Pool
    from airflow.utils.db import upgradedb

    upgradedb()
    for name, pool in json.loads(Path(pools_file).read_text(encoding="utf-8")).items():
        Pool.create_or_update_pool(name, pool["slots"], pool["description"], pool["include_deferred"])


if __name__ == "__main__":
    main(sys.argv[1])
