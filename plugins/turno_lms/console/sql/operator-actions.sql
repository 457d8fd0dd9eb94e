-- Airflow writes what tasks do under the owner of their DAG (turno_lms.orchestration.defaults.OWNER): not a person.
select
    entry.id,
    entry.dttm as at,
    coalesce(entry.owner_display_name, entry.owner) as person,
    entry.event,
    entry.dag_id,
    entry.run_id,
    entry.task_id,
    entry.dag_id || '/' || entry.run_id as run,
    left(entry.extra, 500) as extra
from log as entry
where entry.owner not in ('turno-lms', 'airflow') and not starts_with(entry.event, 'cli_')
