-- What may be removed, and nothing else: docs/retention.md is the policy. No role may delete what landed; this function,
-- which has its owner's rights, may, and only what it names, and only when that is old.

create table core.core_removal (
    removal_id bigint generated always as identity primary key,
    what text not null,
    rows_removed bigint not null check (rows_removed > 0),
    older_than timestamptz not null,
    removed_by_run text not null,
    removed_at timestamptz not null default now()
);
comment on table core.core_removal is 'What core.remove_expired has removed, by whom and when. Append-only.';

create function core.remove_expired(run text, most integer, is_trial boolean)
returns table (what text, older_than timestamptz, rows_removed bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    policy record;
begin
    for policy in
        select listed.*, now() - make_interval(days => listed.days) as moment
        from (values
            -- lists that Fineract was asked for: writes, and looks at one loan or transaction, are evidence and stay
            ('fineract_list_reads', 'raw.raw_fineract_api_log', 'call_id', 90,
                'called_at < $1 and method = ''GET'' and subject is null and status_code = 200'),
            -- polls of links: what made, cancelled or failed stays
            ('payment_link_polls', 'raw.raw_payment_link_call', 'call_id', 90,
                'called_at < $1 and method = ''GET'' and status_code = 200'),
            -- earlier looks at a loan: the newest of each loan stays
            ('superseded_loan_details', 'raw.raw_fineract_loan_detail', 'detail_id', 400,
                'taken_at < $1 and exists (select from raw.raw_fineract_loan_detail as later where'
                ' later.fineract_loan_id = each.fineract_loan_id and later.detail_id > each.detail_id)'),
            -- sweeps of an account: its newest, from which the next one starts, stays
            ('gateway_sweeps', 'core.core_gateway_sweep', 'sweep_id', 400,
                'swept_at < $1 and exists (select from core.core_gateway_sweep as later where'
                ' later.gateway = each.gateway and later.lender = each.lender and later.window_until > each.window_until)'),
            -- forged or unusable webhooks that a person has put away: what is open or was landed stays
            ('discarded_dead_letters', 'raw.raw_webhook_dead_letter', 'dead_letter_id', 400,
                'fate_at < $1 and fate = ''discarded''')
        ) as listed (name, relation, key, days, condition)
    loop
        what := policy.name;
        older_than := policy.moment;
        if is_trial then
            execute 'select count(*) from ' || policy.relation || ' as each where ' || policy.condition
            into rows_removed using policy.moment;
        else
            execute
                'delete from ' || policy.relation || ' where ' || policy.key || ' in (select ' || policy.key || ' from '
                || policy.relation || ' as each where ' || policy.condition || ' order by 1 limit $2)'
            using policy.moment, most;
            get diagnostics rows_removed = row_count;
            if rows_removed > 0 then
                insert into core.core_removal (what, rows_removed, older_than, removed_by_run)
                values (what, rows_removed, older_than, run);
            end if;
        end if;
        return next;
    end loop;
end $$;
comment on function core.remove_expired is
'Removes at most so many rows of each kind that docs/retention.md lets go; a trial counts them all and removes none.';
revoke execute on function core.remove_expired from public;
grant execute on function core.remove_expired to turno_ingestion;

create index raw_fineract_api_log_called_at on raw.raw_fineract_api_log (called_at)
where method = 'GET' and subject is null;

grant select on core.core_removal to turno_ingestion, turno_reconciler, turno_poster, turno_console, turno_finance;
