-- What people took apart no rule puts together again.
delete from group_member as member
using core.core_recon_match_undone as undone
where member.match_group = undone.match_group
