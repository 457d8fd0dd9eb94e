-- Groups of open_group whose sums do not agree and that are small enough for the search, one row per member.
select
    member.group_key,
    member.native_reference,
    member.posting_key,
    member.side,
    member.recon_match_key,
    member.is_posting_channel,
    member.amount,
    member.business_date
from open_group as member
where
    not member.is_accepted
    and member.file_records <= %(most)s
    and member.gateway_records <= %(most)s
order by member.group_key, member.native_reference
