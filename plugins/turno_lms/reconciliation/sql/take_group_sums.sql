insert into group_member
select
    proposal.match_group,
    proposal.native_reference,
    proposal.posting_key,
    proposal.side,
    proposal.recon_match_key,
    proposal.is_posting_channel,
    proposal.days,
    proposal.rupees
from core.core_recon_group as proposal
where proposal.is_accepted
