-- A settlement that is done can be taken back, as a write-off can (docs/decisions/0030-settlements-taken-back.md).

alter table core.core_settlement
add column undo_approval_id bigint references core.core_approval,
add column undo_reason text,
drop constraint core_settlement_state_check,
add constraint core_settlement_state_check check (
    state in (
        'requested', 'rejected', 'expired', 'accepted', 'lapsed', 'stopped', 'executing', 'stuck', 'compensating',
        'compensated', 'done', 'undoing', 'undone'
    )
);
comment on column core.core_settlement.undo_reason is 'Why somebody asked to take it back; the last one who did.';

drop index core.core_settlement_one_open;
create unique index core_settlement_one_open on core.core_settlement (loan_id)
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating', 'undoing');

create or replace view core.core_open_resolution as
select
    settlement_ref as resolution_ref,
    'settlement' as kind,
    loan_id,
    state,
    state in ('executing', 'stuck', 'compensating', 'undoing') or (state = 'accepted' and holds_money) as holds_money
from core.core_settlement
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating', 'undoing')
union all
select
    write_off_ref,
    'write_off',
    loan_id,
    state,
    state <> 'requested'
from core.core_write_off
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating', 'undoing')
union all
select
    foreclosure_ref,
    'foreclosure',
    loan_id,
    state,
    state <> 'requested'
from core.core_foreclosure
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating');
