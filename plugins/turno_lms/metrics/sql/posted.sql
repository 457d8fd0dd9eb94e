-- How postings ended.
select
    ended.lender,
    ended.outcome,
    count(*) as payments_total,
    sum(ended.amount) as rupees_total
from core.core_transaction_data_processed as ended
group by ended.lender, ended.outcome
