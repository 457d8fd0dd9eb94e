select
    reject.disposition,
    reject.reason_code,
    reject.field,
    min(reject.message) as example,
    count(*) as rows,
    sum(reject.amount_paise) / 100.0::numeric as rupees,
    count(*) filter (where reject.fate = 'open') as still_open
from raw.raw_rejected_records as reject
where reject.file_id = %s
group by reject.disposition, reject.reason_code, reject.field
order by reject.disposition desc, rows desc
