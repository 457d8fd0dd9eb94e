with touched as (
    update core.core_recon_exception as exception
    set
        state = 'cleared',
        closed_at = now(),
        closed_by = %(run)s,
        close_reason = case
            when judged.is_matched then 'matched: the other side arrived'
            else 'nothing is missing any more'
        end
    from core.core_recon_exception as missing
    left join payment_judged as judged on missing.subject = judged.posting_key
    where
        exception.exception_id = missing.exception_id
        and missing.state = 'open'
        and missing.kind in ('missing_in_file', 'missing_in_gateway')
        and missing.kind is distinct from judged.missing
    returning exception.subject
),

announced as (
    insert into core.core_change_log (kind, subject)
    select distinct 'reconciliation', touched.subject from touched
)

select count(*) as touched from touched
