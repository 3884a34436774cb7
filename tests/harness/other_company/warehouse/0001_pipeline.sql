-- The ledger, as sql/warehouse makes it.

create table pipeline.batch (
    batch bigint primary key,
    snapshot_time timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    run_id text not null,
    input_sha256 text not null,
    rows bigint not null,
    deletes bigint not null,
    transform_hash text not null,
    lake_id text not null,
    extracted_at timestamptz,
    extracted_rows bigint,
    extracted_bytes bigint,
    transform_began_at timestamptz,
    transformed_at timestamptz
);

create table pipeline.batch_file (
    batch bigint not null,
    model text not null,
    key text not null,
    rows bigint not null,
    bytes bigint not null,
    sha256 text not null,
    primary key (batch, key)
);
