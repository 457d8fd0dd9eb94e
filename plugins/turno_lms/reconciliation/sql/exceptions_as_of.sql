-- Every exception that was open at a moment, as its last event before that moment left it.
with last_word as (
    select distinct on (event.exception_id) event.*
    from core.core_recon_exception_event as event
    where event.happened_at < %(moment)s
    order by event.exception_id asc, event.event_id desc
)

select
    exception.exception_id,
    exception.kind,
    exception.subject,
    exception.lender,
    exception.loan_id,
    last_word.amount,
    last_word.life,
    last_word.class,
    last_word.owner,
    last_word.detail,
    exception.opened_at,
    age.days as age_days,
    core.recon_age(age.days) as age
from last_word
inner join core.core_recon_exception as exception on last_word.exception_id = exception.exception_id
cross join lateral (
    select
        (
            ((%(moment)s - interval '1 microsecond') at time zone 'Asia/Kolkata')::date
            - (exception.opened_at at time zone 'Asia/Kolkata')::date
        ) as days
) as age
where
    last_word.life in ('open', 'assigned', 'waiting')
    and (%(lender)s::text is null or exception.lender = %(lender)s)
order by last_word.amount desc nulls last, exception.exception_id
