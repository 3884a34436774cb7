-- What ended the newest load that failed. It holds while its batch is not in
-- pipeline.batch: `deno task status` then tells it.
create table pipeline.failure (
    stage text primary key,
    -- The first batch that was not loaded.
    batch bigint not null,
    -- When a load failed at this batch for the first time, and for the last.
    since timestamptz not null,
    at timestamptz not null,
    message text not null,
    hint text,
    retryable boolean not null
);

comment on table pipeline.failure is
    'What ended the newest load that failed; it holds while its batch waits.';
