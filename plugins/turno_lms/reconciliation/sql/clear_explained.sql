-- New data closes what it explains, and says how.
with touched as (
    update core.core_recon_exception as exception
    set
        state = 'cleared',
        closed_at = now(),
        closed_by = %(run)s,
        close_reason = case
            when missing.kind = 'missing_in_fineract' then 'it is posted, or held again'
            when missing.kind = 'contested_match' then 'it is no longer evidence of another payment'
            when found.rule is not null then 'matched by ' || found.rule || ': the other side arrived'
            when judged.kinds is not null then 'it is now ' || array_to_string(judged.kinds, ', ')
            else 'nothing is missing any more'
        end
    from core.core_recon_exception as missing
    left join (
        select
            posting_key,
            array_agg(kind order by kind) as kinds
        from payment_judged
        group by posting_key
    ) as judged on missing.subject = judged.posting_key
    left join lateral (
        select min(matched.rule) as rule from core.core_recon_match as matched
        where matched.posting_key = missing.subject
    ) as found on true
    where
        exception.exception_id = missing.exception_id
        and missing.state = 'open'
        and missing.kind = any(%(kinds)s)
        and not missing.kind = any(coalesce(judged.kinds, '{}'))
    returning exception.subject
),

announced as (
    insert into core.core_change_log (kind, subject)
    select distinct 'reconciliation', touched.subject from touched
)

select count(*) as touched from touched
