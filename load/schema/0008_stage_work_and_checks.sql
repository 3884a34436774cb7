-- What each stage did for a batch, and how each check ended. Batches loaded
-- before this lack what their manifests say until the warehouse is rebuilt, and
-- when their load began; a check is there from its next run on.

alter table pipeline.batch
add column extracted_rows bigint,
add column extracted_bytes bigint,
add column transform_began_at timestamptz,
add column load_began_at timestamptz;

alter table pipeline.batch
alter column load_began_at set default transaction_timestamp();

comment on column pipeline.batch.extracted_rows is
    'Rows and deletes of the source that extract shipped.';
comment on column pipeline.batch.extracted_bytes is
    'Bytes of the files in which it shipped them.';
comment on column pipeline.batch.transform_began_at is
    'The clock of the machine that ran transform when it began the batch.';
comment on column pipeline.batch.load_began_at is
    'This database''s clock when the load of the batch, and of others with it, '
    'began.';

create table pipeline.check_result (
    check_name text primary key,
    rule text not null,
    severity text not null,
    batch bigint not null,
    checked_at timestamptz not null default clock_timestamp(),
    findings bigint not null,
    check (severity in ('error', 'warning'))
);

comment on table pipeline.check_result is
    'Each check as it last ended: it looks at what a load touches.';
comment on column pipeline.check_result.check_name is
    'The check: its file in sql/checks, without .sql.';
comment on column pipeline.check_result.batch is
    'The newest batch of the load that it last looked at.';
comment on column pipeline.check_result.findings is
    'Rows that it found wrong there.';
