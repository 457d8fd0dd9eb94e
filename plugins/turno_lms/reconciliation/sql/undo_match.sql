with gone as (
    delete from core.core_recon_match
    where match_group = %(group)s
    returning *
),

kept as (
    insert into core.core_recon_match_undone
    select
        gone.*,
        now(),
        %(actor)s,
        %(reason)s
    from gone
    returning posting_key
),

announced as (
    insert into core.core_change_log (kind, subject)
    select distinct 'reconciliation', kept.posting_key from kept
)

select count(*) as touched from kept
