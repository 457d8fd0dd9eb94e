-- All members of a group, or none. The side that the posting channel reports is canonical, with every payment on it: each
-- of them is money of its own, and the other side is evidence of them. Where the posting channel has reported the
-- evidence too, the group waits: both would be posted.
with proposal as (
    select
        member.*,
        bool_or(member.is_posting_channel and member.side = 'file') over (partition by member.match_group) as is_file_posting,
        bool_or(member.is_posting_channel) over (partition by member.match_group) as is_posting,
        bool_or(known.native_reference is not null) over (partition by member.match_group) as is_known,
        undone.match_group is not null as is_undone
    from group_member as member
    left join core.core_recon_match as known on member.native_reference = known.native_reference
    left join (select distinct match_group from core.core_recon_match_undone) as undone
        on member.match_group = undone.match_group
),

sided as (
    select
        proposal.*,
        proposal.is_posting_channel
        and proposal.side = case when proposal.is_file_posting then 'file' else 'gateway' end as is_canonical,
        array_agg(proposal.posting_key) filter (
            where proposal.side = case when proposal.is_file_posting then 'file' else 'gateway' end
        ) over (partition by proposal.match_group) as canonical_keys
    from proposal
),

reported_twice as (
    select distinct sided.match_group
    from sided
    inner join core.core_payment_identity as late on sided.posting_key = late.posting_key and late.is_posting_channel
    where sided.is_posting and not sided.posting_key = any(sided.canonical_keys)
),

fresh as (
    select sided.*
    from sided
    left join reported_twice on sided.match_group = reported_twice.match_group
    -- what people took apart only people put together again
    where
        not sided.is_known
        and reported_twice.match_group is null
        and (not sided.is_undone or %(rule)s = 'manual')
),

touched as (
    insert into core.core_recon_match (
        match_group, native_reference, posting_key, side, rule, recon_match_key, days, rupees, alternatives,
        is_canonical, canonical_posting_key, matched_by_run, reason
    )
    select
        fresh.match_group,
        fresh.native_reference,
        fresh.posting_key,
        fresh.side,
        %(rule)s,
        fresh.recon_match_key,
        fresh.days,
        fresh.rupees,
        0,
        fresh.is_canonical,
        case
            when fresh.is_canonical then fresh.posting_key
            when fresh.is_posting
                then min(fresh.posting_key) filter (where fresh.is_canonical) over (partition by fresh.match_group)
        end,
        %(run)s,
        %(reason)s
    from fresh
    returning posting_key as subject, match_group
),

announced as (
    insert into core.core_change_log (kind, subject)
    select distinct 'reconciliation', touched.subject from touched
)

select count(distinct match_group) as touched from touched
