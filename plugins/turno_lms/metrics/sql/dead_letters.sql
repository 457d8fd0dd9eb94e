-- Webhooks that could not be read and wait for somebody.
select
    letter.gateway,
    letter.lender,
    count(*) as letters
from raw.raw_webhook_dead_letter as letter
where letter.fate = 'open'
group by letter.gateway, letter.lender
