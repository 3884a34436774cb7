-- What the pipeline writes down of itself: which batches are in the warehouse
-- and what the checks found in them.

create schema if not exists pipeline;

comment on schema pipeline is
    'What the pipeline writes down of itself: batches, findings, migrations.';

create table pipeline.batch (
    batch bigint primary key,
    snapshot_time timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    run_id text not null,
    input_sha256 text not null,
    rows bigint not null,
    deletes bigint not null,
    transform_hash text not null,
    lake_id text not null
);

comment on table pipeline.batch is
    'The ledger: one row for each batch that is in the warehouse.';
comment on column pipeline.batch.snapshot_time is
    'The source''s clock when this batch''s snapshot of it was taken.';
comment on column pipeline.batch.loaded_at is
    'This database''s clock when the batch was loaded.';
comment on column pipeline.batch.run_id is
    'The transform run that made the batch.';
comment on column pipeline.batch.input_sha256 is
    'Checksum of its manifest in the ingestion zone: what was extracted.';
comment on column pipeline.batch.rows is
    'Row versions that the batch brought, of all models.';
comment on column pipeline.batch.deletes is
    'Deletes that the batch brought, of all models.';
comment on column pipeline.batch.transform_hash is
    'Hash of the SQL that made the batch.';
comment on column pipeline.batch.lake_id is
    'The lake that the batch is from: a warehouse takes batches of one only.';

create table pipeline.finding (
    batch bigint not null,
    check_name text not null,
    severity text not null,
    key text,
    finding text,
    found_at timestamptz not null default clock_timestamp(),
    check (severity in ('error', 'warning'))
);

create index on pipeline.finding (batch);

comment on table pipeline.finding is
    'Rows that a check found wrong, by the batch that brought them.';
comment on column pipeline.finding.check_name is
    'The check: its file in sql/checks, without .sql.';
comment on column pipeline.finding.key is
    'The key of the wrong row, as text.';
