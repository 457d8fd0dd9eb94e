"""The webhook receiver: verify, store, answer, then wake Airflow. It knows nothing of loans, and holds no Airflow."""
