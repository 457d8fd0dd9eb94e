-- Evidence seen while another channel posted the stream must not become money when the mapping changes the posting
-- channel: what the channel was at first sight is frozen with the rest (docs/decisions/0015-*).
alter table core.core_payment_identity add column is_posting_channel boolean not null default false;
alter table core.core_payment_identity alter column is_posting_channel drop default;
update core.core_payment_identity as identity
set is_posting_channel = stream.is_posting_channel
from core.core_lender_stream as stream
where identity.lender = stream.lender and identity.channel = stream.channel;
comment on column core.core_payment_identity.is_posting_channel is
'Whether its channel was the one that posts the stream when it was first seen. Only such a sighting can post.';

-- Two payments under one posting key would be one posting: one rupee lost.
create unique index core_payment_identity_one_founder
on core.core_payment_identity (posting_key) where matched_by = 'first_sight';

-- What was linked to a payment is looked up with it.
create index core_payment_decision_linked
on core.core_payment_decision (linked_posting_key) where linked_posting_key is not null;

-- Transaction ids mean something in the cluster that gave them only; a dump carries them into another one.
create table core.core_warehouse_cluster (
    system_identifier bigint primary key
);
comment on table core.core_warehouse_cluster is
'The PostgreSQL cluster whose transaction ids the rows carry: one row. dbt builds nothing in another.';
insert into core.core_warehouse_cluster select control.system_identifier from pg_control_system() as control;
grant select on core.core_warehouse_cluster to turno_app, turno_dbt;
