import type { ProjectSql } from "../../../lib/project/project_sql.ts";
import { smallProject } from "../../harness/companies/small_project.ts";
import { assertRefused, KEY, prepareAll, SOURCE } from "./lots.ts";

const QUARANTINE_ALLOWED = [
  "select distinct on (lot_id, part) lot_id, part, 'x' as reason from arrived.lot order by lot_id, part",
  "select lot_id, part, 'x' as reason from arrived.lot where price < 0",
  "with a as (select lot_id, part, 'x' as fault from arrived.lot union all select lot_id, part, 'y' from arrived.lot) select lot_id, part, string_agg(fault, ';' order by fault) as reason from a group by lot_id, part",
  "select one.lot_id, one.part, 'x' as reason from arrived.lot as one join arrived.lot as other using (lot_id, part)",
  "select lot.*, 'x' as reason from arrived.lot where price < 0",
  "select cast(lot.lot_id as text) as lot_id, Part, price || ' is bad' as reason from arrived.lot",
  "select lot_id::text as lot_id, part, 'x' as reason from arrived.lot union all select lot_id::text, part, 'y' from arrived.lot",
  "with bad(lot_id, part, reason) as (select lot_id, part, 'x' from arrived.lot) select lot_id, part, reason from bad",
  "select lot_id, part, reason from (select lot_id, part, 'x' from arrived.lot) as bad(lot_id, part, reason)",
  "select * from (select lot_id, part, 'x' as reason from arrived.lot) union all select lot_id, part, 'y' from arrived.lot",
  "select lot_id, part, 'x' as reason from arrived.lot join (values (1, 2)) as bad (lot_id, part) using (lot_id, part)",
  "with bad(lot_id, part) as (values (1, 2)) select lot_id, part, 'x' as reason from arrived.lot join bad using (lot_id, part)",
  "select lot_id, part, 'x' as reason from arrived.lot where lot_id in (select v.lot_id from (values (1)) as v (lot_id))",
  "select part.lot_id, part.part as part, 'x' as reason from arrived.lot as part",
  "with bad as (select lot_id, part, true as bad from arrived.lot) select bad.lot_id, bad.part, 'x' as reason from bad",
  "select reason.lot_id, reason.part, 'x' as reason from arrived.lot as reason",
  "with lots as (select * from arrived.lot) select Lots.lot_id, arrived.lot.part, unnest(['x', 'y']) as reason from lots join arrived.lot using (lot_id, part)",
];
const QUARANTINE_REFUSED: [string, RegExp][] = [
  [
    "select lot_id, part, 'x' as reason from current.lot",
    /reads current\.lot, not arrived\.lot/,
  ],
  ["select lot_id, part, 'x' as reason from changed.lot", /reads changed\.lot/],
  [
    "select lot_id, part, 'x' as reason from arrived.lot, arrived.place",
    /reads arrived\.place/,
  ],
  [
    "select 1 as lot_id, 2 as part, 'x' as reason",
    /does not read arrived\.lot/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot where seen > now()",
    /now\(\)/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot where seen > current_date",
    /current_date/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot qualify count(*) over (partition by note) > 1",
    /window function/,
  ],
  [
    "select min(lot_id) as lot_id, min(part) as part, 'x' as reason from arrived.lot group by note having count(*) > 1",
    /groups rows by something other than the key/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot where price < (select avg(price) from arrived.lot)",
    /in an expression/,
  ],
  [
    "select one.lot_id, one.part, 'x' as reason from arrived.lot as one join arrived.lot as other on one.note = other.note",
    /joins rows by something other than the key/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot order by 1 limit 1",
    /limit/,
  ],
  [
    "select distinct on (note) lot_id, part, 'x' as reason from arrived.lot order by note, lot_id, part",
    /distinct on without the key \(lot_id, part\)/,
  ],
  [
    "select distinct on (lot_id) lot_id, part, 'x' as reason from arrived.lot order by lot_id, part",
    /distinct on without the key/,
  ],
  [
    "select lot_id, part, 'x' as reason from (from arrived.lot select lot_id, part, price) pivot (count(*) for price in (1, 2))",
    /pivot or unpivot/,
  ],
  [
    "select lot_id, part, 'x' as reason from arrived.lot unpivot (v for n in (lot_id as 'a', part as 'b'))"
      .replace("select lot_id, part", "select 1 as lot_id, 2 as part"),
    /pivot or unpivot/,
  ],
  [
    "select lot_id, 'x' as reason from arrived.lot",
    /does not give the column "part" once/,
  ],
  ["select lot_id, part, 'x' as why from arrived.lot", /"reason" once/],
  ...[
    "select lot_id + 1 as lot_id, part, 'x' as reason from arrived.lot",
    "select cast(price as integer) as lot_id, part, 'x' as reason from arrived.lot",
    "select lot_id, part, 'x' as reason from (select part as lot_id, part, note from arrived.lot)",
    "select lot_id, part, 'x' as reason from (select * replace (part as lot_id) from arrived.lot)",
    "select lot_id, part, 'x' as reason from (select * exclude (lot_id) rename (price as lot_id) from arrived.lot)",
    "select lot_id, part, 'x' as reason from (select price, part from arrived.lot) as own(lot_id, part)",
    "with own(lot_id, part) as (select price, part from arrived.lot) select lot_id, part, 'x' as reason from own",
    "select lot_id, part, 'x' as reason from arrived.lot union all select part, lot_id, 'y' from arrived.lot",
    "select bad.lot_id, part, 'x' as reason from arrived.lot join (values (5)) as bad (lot_id) on true",
    "with bad(lot_id) as (values (5)) select bad.lot_id, part, 'x' as reason from arrived.lot cross join bad",
    "select one.lot_id, one.part, 'x' as reason from arrived.lot as one join (select part, price as lot_id from arrived.lot) as other using (lot_id, part)",
    "select * exclude (lot_id), columns('(lot)_seen') as '\\1_id', 'x' as reason from (select *, lot_id + 1 as lot_seen from arrived.lot)",
  ].map((sql): [string, RegExp] => [
    sql,
    /what it calls "lot_id" is not that column of the key, unchanged/,
  ]),
  ...[
    "select own.*, 'x' as reason from (select {'lot_id': part, 'part': part} as own from arrived.lot)",
    "select columns(own.*), 'x' as reason from (select {'lot_id': part, 'part': part} as own from arrived.lot)",
    "select own.lot_id, part, 'x' as reason from (select {'lot_id': part} as own, part from arrived.lot)",
    "select own.lot_id, part, 'x' as reason from (select {'lot_id': part} as own, part from arrived.lot) as own",
    "with rows as (select lot as own, part from arrived.lot) select own.lot_id, part, 'x' as reason from rows",
    "select own.lot_id, part, 'x' as reason from (select regexp_extract(part, '(.)', ['lot_id']) as own, part from arrived.lot)",
    "select unnest({'lot_id': part}) as own, part, 'x' as reason from arrived.lot",
    "select unnest(own), part, 'x' as reason from (select [{'lot_id': part}] as own, part from arrived.lot)",
    "select lot_id, part, 'x' as reason from (select unnest(own), part from (select {'lot_id': part} as own, part from arrived.lot))",
  ].map((sql): [string, RegExp] => [sql, /it takes columns out of a struct/]),
];

function quarantined(sql: string): Promise<ProjectSql> {
  return smallProject({
    source: SOURCE,
    models: [{
      name: "dim_lot",
      key: KEY,
      sql: "select lot_id, part from changed.lot",
    }],
    quarantine: { lot: sql },
  });
}
for (const sql of QUARANTINE_ALLOWED) {
  Deno.test(`a quarantine query may be: ${sql}`, async () => {
    await prepareAll(await quarantined(sql));
  });
}
for (const [sql, message] of QUARANTINE_REFUSED) {
  Deno.test(`a quarantine query must not be: ${sql}`, () =>
    assertRefused(quarantined(sql), message));
}
