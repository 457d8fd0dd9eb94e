{{
    config(
        unique_key="posting_key",
        tags=["money_path_core"],
        indexes=[
            {"columns": ["loan_id"]},
            {"columns": ["lender"]},
            {"columns": ["reconciliation_status"]},
            {"columns": ["posting_block"]},
            {"columns": ["first_seen_at"]},
            {"columns": ["gateway_payment_reference"]},
            {"columns": ["bank_reference"]},
            {"columns": ["_txid"]},
            {"columns": ["_read_horizon"]},
        ],
        post_hook="{{ delete_linked_keys() }}",
    )
}}

{%- set recon_kinds = [
    "missing_in_file",
    "missing_in_gateway",
    "amount_mismatch",
    "date_mismatch",
    "loan_mismatch",
    "duplicate",
    "ambiguous_match",
] -%}
{%- set recon_kind_list = "'" ~ recon_kinds | join("',\n                '") ~ "'" -%}

with touched as (
    {% if is_incremental() %}
    select identity.posting_key
    from {{ ref('core_payment_sighting') }} as sighting
    inner join {{ source('state', 'core_payment_identity') }} as identity
        on sighting.native_reference = identity.native_reference
    where sighting.{{ touched_since() }}
    union
    -- a row that says the money went back is no sighting of money: it names the payment by a reference
    {% for reference in ['bank_reference', 'gateway_payment_reference'] -%}
    select identity.posting_key
    from {{ ref('core_payment_sighting') }} as returned
    inner join {{ ref('core_payment_sighting') }} as collected
        on returned.lender = collected.lender and returned.{{ reference }} = collected.{{ reference }}
    inner join {{ source('state', 'core_payment_identity') }} as identity
        on collected.native_reference = identity.native_reference
    where returned.{{ touched_since() }} and not returned.is_collection
    union
    {% endfor -%}
    select identity.posting_key
    from {{ ref('core_payment_sighting') }} as returned
    inner join {{ source('state', 'core_payment_identity') }} as identity
        on returned.takes_back = identity.native_reference
    where returned.{{ touched_since() }}
    union
    -- a payment stays with the lender it was frozen under, whatever its sightings say now
    select payment.posting_key
    from {{ this }} as payment
    inner join ({{ changed_subjects(['lender']) }}) as changed on payment.lender = changed.subject
    union
    {{ changed_subjects(['identity', 'decision', 'reconciliation']) }}
    {% else %}
    select distinct identity.posting_key
    from {{ source('state', 'core_payment_identity') }} as identity
    {% endif %}
),

-- A key that a person linked to another stands for that one: the effective key is the money's.
effective as (
    select distinct coalesce(decision.linked_posting_key, touched.posting_key) as posting_key
    from touched
    left join {{ source('state', 'core_payment_decision') }} as decision on touched.posting_key = decision.posting_key
),

member_key as (
    select
        effective.posting_key,
        effective.posting_key as member_posting_key
    from effective
    union all
    select
        effective.posting_key,
        decision.posting_key as member_posting_key
    from effective
    inner join {{ source('state', 'core_payment_decision') }} as decision
        on effective.posting_key = decision.linked_posting_key
),

member as (
    select
        member_key.posting_key,
        identity.native_reference,
        identity.posting_key = member_key.posting_key and identity.matched_by = 'first_sight' as is_founder,
        identity.occurrence,
        identity.held_as,
        identity.source_key,
        identity.lender,
        identity.loan_id,
        identity.business_date,
        identity.amount,
        identity.channel,
        coalesce(sighting.gateway_payment_reference, identity.gateway_payment_reference) as gateway_payment_reference,
        coalesce(sighting.bank_reference, identity.bank_reference) as bank_reference,
        sighting.payment_status,
        {{ payment_status_rank('sighting.payment_status') }} as status_rank,
        sighting.seen_at,
        coalesce(stream.stream, identity.stream) as stream,
        -- both then and now: evidence of a time when another channel posted never becomes money of its own
        identity.is_posting_channel and coalesce(stream.is_posting_channel, false) as is_posting_channel,
        returned.payment_status as returned_status,
        recon.native_reference is not null as is_matched,
        coalesce(recon.is_canonical, false) as is_canonical,
        -- evidence of another payment, which posts for the whole match
        coalesce(
            not recon.is_canonical and recon.canonical_posting_key not in (member_key.posting_key, identity.posting_key), false
        ) as is_evidence_of_other,
        superseded.subject is not null as is_superseded
    from member_key
    inner join {{ source('state', 'core_payment_identity') }} as identity
        on member_key.member_posting_key = identity.posting_key
    inner join {{ ref('core_payment_sighting') }} as sighting on identity.native_reference = sighting.native_reference
    left join {{ source('state', 'core_lender_stream') }} as stream
        on identity.lender = stream.lender and identity.channel = stream.channel
    left join {{ source('state', 'core_recon_match') }} as recon on identity.native_reference = recon.native_reference
    -- the same money reported once more, as bounced or reversed, by a later row of the lender
    left join lateral (
        select max(again.payment_status) as payment_status
        from (
            {% set named_by = {
                'bank_reference': 'coalesce(sighting.bank_reference, identity.bank_reference)',
                'gateway_payment_reference':
                    'coalesce(sighting.gateway_payment_reference, identity.gateway_payment_reference)',
                'takes_back': 'identity.native_reference',
            } -%}
            {% for reference, collected in named_by.items() -%}
            select told.payment_status
            from {{ ref('core_payment_sighting') }} as told
            where
                not told.is_collection
                and told.payment_status in ('failed', 'refunded', 'charged_back')
                and told.lender = identity.lender
                and told.{{ reference }} = {{ collected }}
                and told.stated_loan_id = identity.loan_id
                and told.amount = identity.amount
                and (told.seen_at, coalesce(told.file_id, 0), coalesce(told.row_number, 0))
                > (sighting.seen_at, coalesce(sighting.file_id, 0), coalesce(sighting.row_number, 0))
            {{ "union all" if not loop.last }}
            {% endfor %}
        ) as again
    ) as returned on sighting.is_collection
    -- rows that a corrected file no longer has: in question, or withdrawn by a person
    left join (
        select distinct question.subject
        from {{ source('state', 'core_recon_exception') }} as question
        where
            question.kind = 'superseded_row'
            and (question.state = 'open' or (question.state = 'resolved' and question.detail ->> 'decision' = 'withdrawn'))
    ) as superseded on identity.native_reference = superseded.subject
),

-- One pass over the sightings of each key. The money is what was frozen at first sight; later sightings that differ are
-- a conflict, never a change.
payment as (
    select
        member.posting_key,
        max(member.source_key) filter (where member.is_founder) as source_key,
        max(member.occurrence) filter (where member.is_founder) as occurrence,
        max(member.held_as) filter (where member.is_founder) as held_as,
        max(member.lender) filter (where member.is_founder) as lender,
        max(member.loan_id) filter (where member.is_founder) as loan_id,
        max(member.business_date) filter (where member.is_founder) as business_date,
        max(member.amount) filter (where member.is_founder) as amount,
        array_agg(distinct member.channel order by member.channel) as channels_seen,
        count(*)::integer as sightings,
        min(member.seen_at) as first_seen_at,
        coalesce(
            max(member.returned_status),
            (array_agg(member.payment_status order by member.status_rank desc, member.payment_status))[1]
        ) as payment_status,
        (array_agg(member.gateway_payment_reference order by member.is_founder desc, member.native_reference)
        filter (where member.gateway_payment_reference is not null))[1] as gateway_payment_reference,
        (array_agg(member.bank_reference order by member.is_founder desc, member.native_reference)
        filter (where member.bank_reference is not null))[1] as bank_reference,
        -- the stream that posts it, once the posting channel has reported it; the first sight's until then
        (array_agg(member.stream order by member.is_posting_channel desc, member.is_founder desc, member.native_reference))[1]
            as stream,
        bool_or(member.is_posting_channel) as is_posting_channel_seen,
        bool_or(member.is_matched) as is_matched,
        bool_or(member.is_evidence_of_other) and not bool_or(member.is_canonical) as is_matched_elsewhere,
        bool_or(member.is_superseded and member.is_posting_channel) as is_superseded
    from member
    group by member.posting_key
    having bool_or(member.is_founder)
),

judged as (
    select
        payment.*,
        -- a stream that the lender's mapping no longer has is never posted
        coalesce(stream.posting_policy, 'never') as posting_policy,
        lender.payment_type_id,
        payment.business_date < lender.post_from as is_historic,
        (payment.held_as is not null or coalesce(exception.is_possible_duplicate, false))
        and decision.posting_key is null as is_held,
        coalesce(exception.is_conflict, false) as is_conflict,
        case
            when not coalesce(stream.is_two_sided, false) or payment.business_date < lender.post_from then 'not_applicable'
            when payment.is_matched and exception.is_missing_in_fineract then 'missing_in_fineract'
            when payment.is_matched then 'matched'
            when exception.is_conflict then 'conflict'
            when exception.is_expected then 'expected'
            when exception.open_kind is not null then exception.open_kind
            when exception.is_settled then 'resolved'
            else 'pending'
        end as reconciliation_status
    from payment
    inner join {{ source('state', 'core_lender') }} as lender on payment.lender = lender.lender
    left join {{ source('state', 'core_payment_decision') }} as decision on payment.posting_key = decision.posting_key
    cross join lateral (
        select
            max(channel.posting_policy) filter (where channel.is_posting_channel) as posting_policy,
            bool_or(channel.channel like 'file:%') and bool_or(channel.channel not like 'file:%') as is_two_sided
        from {{ source('state', 'core_lender_stream') }} as channel
        where channel.lender = payment.lender and channel.stream = payment.stream
    ) as stream
    cross join lateral (
        select
            bool_or(question.kind = 'identity_conflict' and question.state = 'open') as is_conflict,
            bool_or(question.kind = 'possible_duplicate' and question.state = 'open') as is_possible_duplicate,
            bool_or(question.kind = 'missing_in_fineract' and question.state = 'open') as is_missing_in_fineract,
            bool_or(question.class = 'expected' and question.state = 'open') as is_expected,
            max(question.kind) filter (
                where question.state = 'open' and question.kind in ({{ recon_kind_list }})
            ) as open_kind,
            bool_or(question.state in ('resolved', 'written_off') and question.kind in ({{ recon_kind_list }}))
                as is_settled
        from {{ source('state', 'core_recon_exception') }} as question
        where
            question.subject = payment.posting_key
            and question.kind in (
                'identity_conflict', 'possible_duplicate', 'missing_in_fineract', {{ recon_kind_list }}
            )
    ) as exception
)

select
    judged.posting_key,
    judged.source_key,
    judged.occurrence,
    {{ recon_match_key('judged.loan_id', 'judged.business_date', 'judged.amount') }} as recon_match_key,
    judged.lender,
    judged.loan_id,
    judged.business_date,
    judged.amount::numeric(18, 2) as amount,
    judged.stream,
    judged.channels_seen,
    judged.sightings,
    judged.first_seen_at,
    judged.gateway_payment_reference,
    judged.bank_reference,
    judged.payment_status,
    judged.reconciliation_status,
    judged.posting_policy,
    -- what holds it whatever happens next comes first, what waits for the other side last
    case
        when judged.is_historic then 'historic'
        when judged.posting_policy = 'never' then 'policy_never'
        when judged.payment_status <> 'captured' then 'not_collected'
        when judged.is_superseded then 'superseded'
        when judged.is_conflict then 'conflict'
        when judged.is_held then 'possible_duplicate'
        when not judged.is_posting_channel_seen then 'evidence_only'
        when judged.is_matched_elsewhere then 'matched_elsewhere'
        when judged.posting_policy = 'after_recon' and not judged.is_matched then 'awaiting_recon'
    end as posting_block,
    judged.payment_type_id,
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from judged
