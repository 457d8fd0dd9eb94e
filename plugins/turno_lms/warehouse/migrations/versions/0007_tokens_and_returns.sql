-- A webhook of a NACH debit names its mandate by the gateway's token: the token's own events say which UMRN it is.
alter table core.core_lender_webhook_rule drop constraint core_lender_webhook_rule_resolves_check;
alter table core.core_lender_webhook_rule add constraint core_lender_webhook_rule_resolves_check
check (resolves in ('loan_id', 'umrn', 'token'));

-- A sweep looks for refunds and for the mandates behind tokens, too.
alter table core.core_gateway_sweep
add column refunds_landed integer not null default 0,
add column tokens_landed integer not null default 0;

-- Posted money that went back is looked for among what changed since the last search, on either side.
create index core_transaction_data_processed_txid on core.core_transaction_data_processed (_txid);
create table core.core_reversal_search (
    only_row boolean primary key default true check (only_row),
    _txid bigint not null
);
comment on table core.core_reversal_search is
'The oldest transaction that was still open when returned money was last looked for: the next search reads from there.';
grant select, insert, update on core.core_reversal_search to turno_app;

-- What identity asks a person about a payment holds it from the moment it is asked, not from the next build on.
create function core.posting_question(key text) returns text
language sql stable
as $$
    select
        case question.kind when 'identity_conflict' then 'conflict' else question.kind end
    from core.core_recon_exception as question
    left join core.core_payment_decision as decision on question.subject = decision.posting_key
    where
        question.kind in ('identity_conflict', 'possible_duplicate')
        and question.subject = key
        and question.state = 'open'
        and (question.kind = 'identity_conflict' or decision.posting_key is null)
    order by question.kind
    limit 1
$$;
comment on function core.posting_question is
'Why a payment may not be posted though core_transaction_data does not say so yet: conflict, possible_duplicate, or null.';
