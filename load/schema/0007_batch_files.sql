-- What a batch's manifest says of its making: when each stage was done, and
-- with which files. Batches loaded before this have neither until the warehouse
-- is rebuilt.

alter table pipeline.batch
add column extracted_at timestamptz,
add column transformed_at timestamptz;

comment on column pipeline.batch.extracted_at is
    'The clock of the machine that ran extract when the batch was committed.';
comment on column pipeline.batch.transformed_at is
    'The clock of the machine that ran transform when the batch was committed.';

create table pipeline.batch_file (
    batch bigint not null,
    model text not null,
    key text not null,
    rows bigint not null,
    bytes bigint not null,
    sha256 text not null,
    primary key (batch, key)
);

comment on table pipeline.batch_file is
    'The files of the processed zone that each batch brought.';
comment on column pipeline.batch_file.key is
    'Its name in the zone, below PROCESSED_URL.';
comment on column pipeline.batch_file.rows is
    'Row versions in it, deletes among them.';
comment on column pipeline.batch_file.sha256 is
    'Checksum of its bytes.';
