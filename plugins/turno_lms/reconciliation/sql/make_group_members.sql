create temporary table group_member (
    match_group text not null,
    native_reference text not null,
    posting_key text not null,
    side text not null,
    recon_match_key text not null,
    is_posting_channel boolean not null,
    days integer not null,
    rupees numeric(18, 2) not null
)
