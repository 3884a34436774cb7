-- What verify compares beside the current state: versions that have ended.

alter table pipeline.verification
drop constraint verification_place_check;

alter table pipeline.verification
add check (place in ('lake', 'warehouse', 'history'));

comment on column pipeline.verification.place is
    'What was compared: the lake or the warehouse with the source; or history, '
    'the versions that ended in the warehouse with those of the lake.';
