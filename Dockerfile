# Two images from one file:
#   docker build --target airflow  -t turno-airflow .    every Airflow component, dbt and the turno command
#   docker build --target receiver -t turno-receiver .   the webhook receiver, without Airflow

FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PATH=/opt/venv/bin:$PATH
WORKDIR /opt/turno

# pip writes bytecode while it installs: without it every task would compile every import again
FROM base AS airflow-environment
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --no-deps --require-hashes -r /tmp/requirements.txt

FROM base AS receiver-environment
COPY webhook_receiver/requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --no-deps --require-hashes -r /tmp/requirements.txt

FROM base AS receiver
RUN useradd --uid 50001 --no-create-home --shell /usr/sbin/nologin receiver
COPY --from=receiver-environment /opt/venv /opt/venv
COPY include/lender_mappings include/lender_mappings
COPY include/los_operations include/los_operations
COPY webhook_receiver webhook_receiver
USER 50001
EXPOSE 8000
CMD ["gunicorn", "--config=webhook_receiver/gunicorn.conf.py", "--bind=0.0.0.0:8000", "--worker-tmp-dir=/dev/shm"]

FROM base AS airflow
ENV AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/turno/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/turno/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__COSMOS__ENABLE_TELEMETRY=False \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    DO_NOT_TRACK=1 \
    PYTHONPATH=/opt/turno/plugins \
    TURNO_HOME=/opt/turno
RUN useradd --uid 50000 --create-home --shell /bin/bash airflow \
    && install --directory --owner=airflow /opt/airflow /opt/airflow/logs
COPY --from=airflow-environment /opt/venv /opt/venv
COPY deploy/turno /usr/local/bin/turno
COPY deploy/init.sh deploy/clean-airflow.sh deploy/make_bucket.py deploy/pools.json deploy/webserver_config.py deploy/
COPY include include
COPY plugins plugins
COPY dags dags
# Cosmos draws the dbt graph from the manifest, the same one in every container. Parsing opens no connection.
RUN TURNO_DBT_HOST=none TURNO_DBT_PORT=5432 TURNO_DBT_USER=none TURNO_DBT_PASSWORD=none TURNO_DBT_DBNAME=none \
    dbt parse --project-dir include/dbt --profiles-dir include/dbt --log-path /tmp \
    && python -m compileall -q plugins dags
USER 50000
EXPOSE 8080
CMD ["airflow", "version"]
