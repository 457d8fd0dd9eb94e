-- Rows that were rejected and that nobody has replayed or discarded.
select
    reject.lender,
    count(*) as rows_open,
    coalesce(sum(reject.amount_paise), 0) / 100.0::numeric as rupees_open
from raw.raw_rejected_records as reject
where reject.fate = 'open' and reject.disposition = 'rejected'
group by reject.lender
