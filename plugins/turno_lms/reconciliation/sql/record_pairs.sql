-- Both members of a proposed pair, or neither: the models may have been built before an earlier match was recorded. The
-- channel that posts makes its member the canonical one, through which the pair is posted. Where the other member's
-- payment has been reported by that channel too since the models were built, the pair waits for the next look.
with fresh as (
    select proposal.*
    from proposed_pair as proposal
    where
        not exists (
            select 1 from core.core_recon_match as known where known.native_reference = proposal.file_native_reference
        )
        and not exists (
            select 1 from core.core_recon_match as known where known.native_reference = proposal.gateway_native_reference
        )
        and not exists (
            select 1 from core.core_recon_match_undone as undone where undone.match_group = proposal.match_group
        )
        and (
            proposal.file_posting_key = proposal.gateway_posting_key
            or not exists (
                select 1 from core.core_payment_identity as late
                where
                    late.posting_key = case
                        when proposal.is_file_posting then proposal.gateway_posting_key else proposal.file_posting_key
                    end
                    and late.is_posting_channel
            )
        )
),

touched as (
    insert into core.core_recon_match (
        match_group, native_reference, posting_key, side, rule, recon_match_key, days, rupees, alternatives,
        is_canonical, canonical_posting_key, matched_by_run
    )
    select
        fresh.match_group,
        member.native_reference,
        member.posting_key,
        member.side,
        fresh.rule,
        fresh.recon_match_key,
        fresh.days,
        fresh.rupees,
        fresh.alternatives,
        member.is_canonical,
        case
            when fresh.is_file_posting then fresh.file_posting_key
            when fresh.is_gateway_posting then fresh.gateway_posting_key
        end,
        %(run)s
    from fresh
    cross join lateral (
        values
        ('file', fresh.file_native_reference, fresh.file_posting_key, fresh.is_file_posting),
        (
            'gateway',
            fresh.gateway_native_reference,
            fresh.gateway_posting_key,
            fresh.is_gateway_posting and not fresh.is_file_posting
        )
    ) as member (side, native_reference, posting_key, is_canonical)
    returning posting_key as subject
),

announced as (
    insert into core.core_change_log (kind, subject)
    select distinct 'reconciliation', touched.subject from touched
)

select count(*) as touched from touched
