#!/bin/sh
# Makes the two databases of the try-out in a new server, with their roles and
# two years of Totesys' trade in the source, whichever company sql/ is about.
# PLATFORM is the project's folder.
set -eu
platform=${PLATFORM:-/platform}
totesys=$platform/examples/totesys/sql
run() { psql --quiet --set ON_ERROR_STOP=1 --output /dev/null "$@"; }

run --dbname postgres --command "create database totesys" \
    --command "create database warehouse"
weeks=$((($(date +%s) - $(date -d 2024-11-03 +%s)) / 604800))
run --dbname totesys --single-transaction \
    --command "select set_config('demo.seed', '1', true),
        set_config('demo.sales_orders', '11000', true),
        set_config('demo.weeks_later', '$weeks', true),
        set_config('timezone', 'UTC', true)" \
    --file "$totesys/source.sql" \
    --file "$platform/demo/fill.sql" \
    --file "$platform/demo/foreign_keys.sql"
run --dbname totesys --file "$totesys/grants.sql"
run --dbname warehouse --file "$platform/load/warehouse_roles.sql"
for role in totesys_extract totesys_loader totesys_analyst; do
    run --dbname postgres \
        --command "alter role $role password 'example-password'"
done
