-- New data closes what it explains, and says how.
with question as (
    select
        asked.exception_id,
        asked.kind,
        asked.subject
    from core.core_recon_exception as asked
    where asked.state = 'open' and asked.kind = any(%(kinds)s)
),

judged as (
    select
        posting_key,
        array_agg(kind order by kind) as kinds
    from payment_judged
    group by posting_key
),

found as (
    select
        question.subject,
        min(matched.rule) as rule
    from question
    inner join core.core_recon_match as matched on question.subject = matched.posting_key
    group by question.subject
),

explained as (
    select
        question.exception_id,
        case
            when question.kind = 'missing_in_fineract' then 'it is posted, or held again'
            when question.kind = 'contested_match' then 'it is no longer evidence of another payment'
            when found.rule is not null then 'matched by ' || found.rule || ': the other side arrived'
            when judged.kinds is not null then 'it is now ' || array_to_string(judged.kinds, ', ')
            else 'nothing is missing any more'
        end as how
    from question
    left join judged on question.subject = judged.posting_key
    left join found on question.subject = found.subject
    where not question.kind = any(coalesce(judged.kinds, '{}'))
),

touched as (
    update core.core_recon_exception as exception
    set state = 'cleared', closed_at = now(), closed_by = %(run)s, close_reason = explained.how
    from explained
    where exception.exception_id = explained.exception_id
    returning exception.subject
),

announced as (
    insert into core.core_change_log (kind, subject)
    select distinct 'reconciliation', touched.subject from touched
)

select count(*) as touched from touched
