-- Rows of operations that were refused at the door: field and problem, without the values.
select
    refused.refused_id,
    refused.operation,
    refused.caller,
    refused.row_number,
    refused.reference,
    refused.reason,
    refused.field,
    refused.problem,
    file.key,
    refused.refused_at,
    refused.refused_by_run
from raw.raw_los_refused_row as refused
left join core.core_los_file as file on refused.file_id = file.file_id
