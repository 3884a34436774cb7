-- Says in usual words what the table of verifications holds.

comment on table pipeline.verification is
    'The results of each verification: a row for each model and place.';
comment on column pipeline.verification.differences is
    'Keys that are missing, extra, different or duplicate.';
