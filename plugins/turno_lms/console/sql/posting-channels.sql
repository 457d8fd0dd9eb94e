-- Every channel that posts: its switch, and what is in its queue now.
select
    stream.lender,
    stream.channel,
    core.posting_switch(stream.lender, stream.channel) as switch,
    count(pending.posting_key) as items,
    coalesce(sum(pending.amount), 0) as rupees,
    count(pending.posting_key) filter (where pending.state <> 'in_doubt' and pending.next_try_at <= now()) as due_items,
    coalesce(sum(pending.amount) filter (where pending.state <> 'in_doubt' and pending.next_try_at <= now()), 0)
        as due_rupees
from (
    select distinct
        of_lender.lender,
        of_lender.channel
    from core.core_lender_stream as of_lender
    where of_lender.is_posting_channel
) as stream
left join core.core_fineract_pending_transactions as pending
    on stream.lender = pending.lender and stream.channel = pending.channel
group by stream.lender, stream.channel
order by stream.lender, stream.channel
