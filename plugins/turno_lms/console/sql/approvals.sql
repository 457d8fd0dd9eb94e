select
    approval.approval_id,
    approval.purpose,
    approval.state,
    approval.requested_by,
    approval.requested_at,
    approval.decided_by,
    approval.decided_at,
    approval.expires_at,
    approval.used_at,
    approval.requested_by_run,
    approval.used_by_run,
    approval.figures
from core.core_approval as approval
