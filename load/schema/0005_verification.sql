-- What came of comparing the source, the lake and the warehouse by content.

create table pipeline.verification (
    batch bigint not null,
    snapshot_time timestamptz not null,
    verified_at timestamptz not null default clock_timestamp(),
    model text not null,
    place text not null,
    rows bigint,
    differences bigint not null,
    first_keys text,
    primary key (batch, model, place),
    check (place in ('lake', 'warehouse'))
);

comment on table pipeline.verification is
    'What came of each `deno task verify`: a row for each model and place.';
comment on column pipeline.verification.batch is
    'The batch as of which everything was compared.';
comment on column pipeline.verification.snapshot_time is
    'The source''s clock when it was read for the comparison.';
comment on column pipeline.verification.verified_at is
    'This database''s clock when the comparison was done.';
comment on column pipeline.verification.model is
    'The model that was compared.';
comment on column pipeline.verification.place is
    'Where it was compared with what the source has: lake or warehouse.';
comment on column pipeline.verification.rows is
    'Rows that should be there; null when the model could not be compared.';
comment on column pipeline.verification.differences is
    'Keys that are missing, extra, otherwise or twice.';
comment on column pipeline.verification.first_keys is
    'The first keys that differ and how, or why it could not be compared.';
