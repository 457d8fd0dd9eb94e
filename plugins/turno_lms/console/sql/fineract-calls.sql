select
    call.call_id,
    call.called_at,
    call.method,
    call.path,
    call.purpose,
    call.subject,
    call.status_code,
    call.outcome,
    call.duration_ms,
    call.idempotency_key,
    call.request,
    call.response,
    call.dag_id || ' / ' || call.dag_run_id as made_by_run,
    call.task_id
from raw.raw_fineract_api_log as call
