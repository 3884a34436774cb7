-- Lets a publication of all tables take this one along: it has no key, and
-- rows that are deleted must be named by something.
alter table pipeline.finding replica identity full;
