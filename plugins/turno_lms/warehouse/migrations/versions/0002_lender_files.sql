-- Fates of lender files and their rows (docs/decisions/0012-a-resend-never-un-posts.md).

alter table raw.raw_s3_file_processing_log
add column uploaded_at timestamptz,
add column handed_in_by text,
add column superseded_by bigint references raw.raw_s3_file_processing_log,
add column warning text,
add column rows_superseded integer,
add column paise_superseded bigint,
drop constraint loaded_file_ties,
add constraint loaded_file_ties check (
    state not in ('loaded', 'loaded_empty', 'superseded')
    or (
        rows_read = rows_accepted + rows_filtered + rows_duplicate + rows_rejected
        and paise_read = paise_accepted + paise_filtered + paise_duplicate + paise_rejected
    )
);
comment on column raw.raw_s3_file_processing_log.uploaded_at is
'When the version was put into the bucket, as S3 says; received_at is when ingestion first saw it.';
comment on column raw.raw_s3_file_processing_log.handed_in_by is
'The person who handed the file in by form; null for what the lender sent.';
comment on column raw.raw_s3_file_processing_log.superseded_by is
'The later version of the same key that was loaded in its place.';
comment on column raw.raw_s3_file_processing_log.warning is
'More rejects than the lender''s warning level: the file is loaded, a person should look.';
comment on column raw.raw_s3_file_processing_log.rows_superseded is
'Rows of earlier versions of the key that this version lacks or changes; each is an exception superseded_row.';

alter table raw.raw_rejected_records add column corrected_text text;
comment on column raw.raw_rejected_records.corrected_text is
'The row as a person corrected it. What it became is in raw_payment_file under the same file and row number.';

create table raw.raw_file_replay (
    replay_id bigint generated always as identity primary key,
    file_id bigint not null references raw.raw_s3_file_processing_log,
    mapping_version_before text not null,
    mapping_version text not null,
    detail jsonb not null,
    replayed_at timestamptz not null default now(),
    replayed_by text not null,
    replayed_by_run text not null
);
comment on table raw.raw_file_replay is
'One row per replay of a loaded file that changed something: rows and rupees by fate before and after. Append-only.';
create index raw_file_replay_file on raw.raw_file_replay (file_id);

create table core.core_lender_mapping (
    lender text not null,
    mapping_version text not null,
    content jsonb not null,
    kept_at timestamptz not null default now(),
    primary key (lender, mapping_version)
);
comment on table core.core_lender_mapping is
'Every version of a lender''s mapping that was ever applied or loaded with, so that a file can be read as it was then.';

grant select, insert on raw.raw_file_replay, core.core_lender_mapping to turno_app;
grant select on raw.raw_file_replay, core.core_lender_mapping to turno_dbt;
