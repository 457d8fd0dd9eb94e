"""What the DAG files share, and nothing they decide: defaults, assets, connections, the dbt groups."""
