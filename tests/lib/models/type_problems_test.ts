import {
  HISTORY_SQL,
  smallProject,
} from "../../harness/companies/small_project.ts";
import { assertRefused, KEY, prepareAll, SOURCE } from "./lots.ts";

for (
  const [declared, expression, fits] of [
    ["bigint", "lot_id", true],
    ["smallint", "cast(lot_id as bigint)", true],
    ["text", "price", true],
    ["jsonb", "note", true],
    ["numeric(8,1)", "price", true],
    ["date", "cast(seen as date)", true],
    ["timestamptz", "seen", true],
    ["integer", "note", false],
    ["integer", "price", false],
    ["date", "seen", false],
    ["date", "note", false],
    ["boolean", "lot_id", false],
    ["numeric(10,2)", "note", false],
    ["uuid", "note", false],
    ["text", "interval 1 day", false],
    ["interval", "seen - seen", false],
    ["integer[]", "[lot_id]", false],
    ["jsonb", "{'a': lot_id}", false],
    ["jsonb", "to_json({'a': lot_id})", true],
    ["jsonb", "map {'a': lot_id}", false],
    ["text", "[lot_id]", true],
    ["bytea", "encode(note)", false],
    ["bytea", "note", false],
    ["money", "price", false],
    ["numeric(10,2)", "cast(price as double)", false],
    ["numeric", "cast(price as double)", true],
    ["double precision", "cast(price as double)", true],
    ["double precision", "price", true],
    ["double precision", "cast(lot_id as bigint)", false],
    ["real", "price", false],
    ["real", "lot_id", false],
    ["real", "cast(price as double)", false],
    ["real", "cast(price as real)", true],
    ["float8", "note", false],
    ["timestamp(3)", "seen", false],
    ["timestamp(0) with time zone", "seen", false],
    ["timestamp(3)", "cast(seen as timestamp_ms)", true],
    ["timestamp(6)", "seen", true],
    ["timestamp", "cast(seen as timestamp_ns)", false],
    ["time(3)", "cast(seen as time)", false],
    ["time", "cast(seen as time)", true],
    ["varchar(20)", "note", true],
    ["character varying (20)", "lot_id", true],
    ["char(3)", "note", true],
    ["name", "note", true],
    ["text[]", "note", true],
    ["varchar(20)[]", "note", true],
    ["text array", "note", true],
    ["text[]", "lot_id", false],
    ["text[]", "[note]", false],
    ["varchar(20) [3]", "price", false],
    ["numeric(10,2)[]", "price", false],
    ["numeric", "[price]", false],
    ["numeric(10,2)", "[price]", false],
    ["double precision[]", "price", false],
    ["timestamp[]", "seen", false],
    ["timestamp(3) with time zone[]", "cast(seen as date)", false],
    ["time[]", "cast(seen as time)", false],
    ["jsonb[]", "to_json(note)", false],
  ] as const
) {
  Deno.test(`the warehouse's ${declared} ${fits ? "holds" : "can't hold"} ${expression}`, async () => {
    const project = smallProject({
      source: SOURCE,
      models: [{
        name: "fact_lot",
        kind: "fact",
        key: KEY,
        recordId: "record_id",
        sql: `select lot_id, part, ${expression} as x from changed.lot`,
      }],
      warehouse: `create table fact_lot (record_id bigint primary key,
        lot_id integer not null, part integer not null, x ${declared},
        ${HISTORY_SQL});`,
    });
    if (fits) await prepareAll(await project);
    else {
      await assertRefused(
        project,
        /its column "x" is .*, and .* in the warehouse/,
      );
    }
  });
}

for (
  const [column, message] of [
    [
      'price as "Unit_Price"',
      /its column "Unit_Price" is named "unit_price" in the warehouse/,
    ],
    ['note as "note"', /its column "note" is named "NOTE" in the warehouse/],
    ["interval 1 day as x", /its column "x" is INTERVAL, which/],
    ["[lot_id] as x", /its column "x" is INTEGER\[\], which/],
    ["cast('a' as enum ('a', 'b')) as x", /its column "x" is ENUM/],
  ] as const
) {
  Deno.test(`the warehouse has no column type for: ${column}`, () =>
    assertRefused(
      smallProject({
        source: SOURCE,
        models: [{
          name: "dim_lot",
          key: KEY,
          sql: `select lot_id, part, ${column} from changed.lot`,
        }],
        warehouse: `create table public.dim_lot (lot_id integer, part integer,
          unit_price numeric(10,2), "NOTE" text, ${HISTORY_SQL});`,
      }),
      message,
    ));
}
