select
    approval.approval_id,
    approval.purpose,
    case when approval.state = 'requested' and approval.expires_at < now() then 'expired' else approval.state end as state,
    case when approval.state = 'requested' and approval.expires_at >= now() then approval.requested_by_run end as answer,
    case
        when jsonb_typeof(approval.figures) = 'array'
            then jsonb_array_length(approval.figures) || ' to post, the first of loan ' || (approval.figures -> 0 ->> 'loan_id')
        when approval.figures ? 'loans'
            then jsonb_array_length(approval.figures -> 'loans') || ' loans, the first '
                || (approval.figures -> 'loans' -> 0 ->> 'loan_id')
        when approval.figures ? 'members'
            then (approval.figures ->> 'action') || ' of ' || jsonb_array_length(approval.figures -> 'members') || ' records of loan '
                || (approval.figures -> 'members' -> 0 ->> 'loan_id')
        when approval.figures ? 'path' then (approval.figures ->> 'method') || ' ' || (approval.figures ->> 'path')
        else coalesce('loan ' || (approval.figures ->> 'loan_id'), approval.request_key)
    end as about,
    coalesce(
        (approval.figures ->> 'dues_total')::numeric,
        (
            select sum((entry.told ->> 'amount')::numeric)
            from jsonb_array_elements(
                case when jsonb_typeof(approval.figures) = 'array' then approval.figures else '[]' end
            ) as entry (told)
        ),
        (
            select sum((loan.told ->> 'rupees')::numeric)
            from jsonb_array_elements(coalesce(approval.figures -> 'loans', '[]')) as loan (told)
        )
    ) as rupees,
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
