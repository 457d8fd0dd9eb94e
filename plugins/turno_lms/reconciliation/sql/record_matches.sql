-- Both members of a proposed pair, or neither: the models may have been built before an earlier match was recorded.
with touched as (
    insert into core.core_recon_match (
        match_group, native_reference, posting_key, side, rule, recon_match_key, matched_by_run
    )
    select
        proposal.match_group,
        member.native_reference,
        member.posting_key,
        member.side,
        proposal.rule,
        proposal.recon_match_key,
        %(run)s
    from core.core_recon_proposal as proposal
    cross join lateral (
        values
        ('file', proposal.file_native_reference, proposal.file_posting_key),
        ('gateway', proposal.gateway_native_reference, proposal.gateway_posting_key)
    ) as member (side, native_reference, posting_key)
    where
        not exists (
            select 1 from core.core_recon_match as known where known.native_reference = proposal.file_native_reference
        )
        and not exists (
            select 1 from core.core_recon_match as known where known.native_reference = proposal.gateway_native_reference
        )
    returning posting_key as subject
),

announced as (
    insert into core.core_change_log (kind, subject)
    select distinct 'reconciliation', touched.subject from touched
)

select count(*) as touched from touched
