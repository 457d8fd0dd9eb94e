-- The headings of the last file, against which the next one is held (docs/decisions/0016-headings-and-blank-words.md).

alter table raw.raw_s3_file_processing_log add column headings text [];
comment on column raw.raw_s3_file_processing_log.headings is
'The heading row of a loaded file as it stood there; null where the format has none of its own.';
