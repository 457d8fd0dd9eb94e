"""The operators' console: pages over the warehouse inside Airflow, behind its login. It holds no business logic."""
