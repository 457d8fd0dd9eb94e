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

-- One call stores a webhook: the receiver's transaction is one statement and one round trip. Deliveries of one event key
-- take turns, and what follows the lock sees what the turn before has committed.
do $do$
declare
    gateway text;
begin
    foreach gateway in array array['razorpay', 'cashfree'] loop
        execute replace($create$
            create function raw.keep_GATEWAY_webhook(
                for_lender text, with_key text, with_sha256 text, with_type text, with_body bytea, with_payload jsonb,
                with_headers jsonb, with_verdict text, is_stale boolean
            ) returns text
            language plpgsql
            as $body$
            declare
                is_conflicting boolean;
            begin
                perform pg_advisory_xact_lock(hashtextextended(for_lender || ' ' || with_key, 0));
                insert into raw.raw_GATEWAY_api (
                    lender, event_key, body_sha256, event_type, body, payload, headers, verdict, stale, conflicting
                )
                values (
                    for_lender, with_key, with_sha256, with_type, with_body, with_payload, with_headers, with_verdict,
                    is_stale,
                    exists (
                        select from raw.raw_GATEWAY_api as known
                        where
                            known.lender = for_lender and known.event_key = with_key
                            and known.body_sha256 <> with_sha256
                    )
                )
                on conflict do nothing
                returning conflicting into is_conflicting;
                return case
                    when is_conflicting then 'conflicting'
                    when not is_conflicting then 'stored'
                    else 'duplicate'
                end;
            end
            $body$
        $create$, 'GATEWAY', gateway);
    end loop;
end
$do$;
