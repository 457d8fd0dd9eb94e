-- A step that read sightings and froze none says so: derived anew, they would be read by every step until new money came.

alter table core.core_change_log
    drop constraint core_change_log_kind_check,
    add constraint core_change_log_kind_check check (
        kind in ('lender', 'loan', 'umrn', 'identity', 'decision', 'posting', 'reconciliation', 'sightings_read')
    );
create index core_change_log_sightings_read on core.core_change_log (_txid) where kind = 'sightings_read';
