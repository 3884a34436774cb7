import assert from "node:assert/strict";
import { Random } from "../../../demo/random.ts";
import { columnsHash } from "../../../lib/duckdb/data_files.ts";
import { type DuckDb, openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { STAMP_COLUMNS } from "../../../lib/duckdb/version_columns.ts";
import { quoteNames } from "../../../lib/sql/quote.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { openZone, type Zone } from "../../../lib/zone/zone.ts";
import {
  versionsAsOfSql,
  type VersionsFile,
} from "../../../transform/tables/versions_as_of.ts";
import {
  asOfBatch,
  asOfTime,
  holdsUntilSql,
  NOW,
} from "../../../transform/files/holds_until_sql.ts";
import {
  foundKeyRange,
  keyRangeSql,
} from "../../../transform/files/key_range.ts";
import { writeParquet } from "../../../transform/files/write_parquet.ts";
import { inFolder } from "../../harness/in_folder.ts";

const KEY = ["id", "part"];
const COLUMNS = [
  { name: "part", type: "VARCHAR" },
  { name: "id", type: "INTEGER" },
  { name: "amount", type: "INTEGER" },
];
const STAMPED = [...COLUMNS, ...STAMP_COLUMNS];
const BATCHES = 12;
const SEEDS = 12;

/** How a file of several batches was made. */
type Kind = "merged" | "of the version before" | "by another key";

Deno.test("versionsAsOfSql() returns what ranking all versions returns, for any files", () =>
  inFolder(async (folder) => {
    const zone = openZone(`${folder}/zone`, { s3: undefined });
    await using duckdb = await openIn(folder, zone);
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new Random(seed);
      await duckdb.run(versionsTable(random));
      const files = await writeFiles(duckdb, { zone, random, seed });
      const held = (asOf: typeof NOW) =>
        rowsOf(
          duckdb,
          versionsAsOfSql({ key: KEY, columns: COLUMNS, zone, files, asOf }),
        );
      const what = `seed ${seed}: ${JSON.stringify(files)}`;

      assert.deepEqual(await held(NOW), await ranked(duckdb, "true"), what);
      for (let batch = 0; batch <= BATCHES + 1; batch++) {
        assert.deepEqual(
          await held(asOfBatch(String(batch))),
          await ranked(duckdb, `batch <= ${batch}`),
          `as of batch ${batch}, ${what}`,
        );
        const time = `timestamp '2024-01-01' + interval ${batch} hour`;
        assert.deepEqual(
          await held(asOfTime(`(${time})`)),
          await ranked(duckdb, `snapshot_time <= ${time}`),
          `as of ${time}, ${what}`,
        );
      }
      for (
        const later of [
          asOfBatch("9223372036854775807"),
          asOfTime("'infinity'::timestamp"),
        ]
      ) {
        assert.deepEqual(await held(later), await held(NOW), what);
      }
    }
  }));

Deno.test("versionsAsOfSql() compares a single merged file with nothing", () => {
  const zone = openZone("/zone", { s3: undefined });
  const sqlOf = (...files: VersionsFile[]) =>
    versionsAsOfSql({ key: KEY, columns: COLUMNS, zone, files, asOf: NOW });
  const first = { key: "1", from: 1, to: 10, holdsUntilBy: KEY };
  const own = { key: "2", from: 11, to: 11 };

  assert.doesNotMatch(sqlOf(first), /join/);
  assert.doesNotMatch(sqlOf({ key: "1", from: 1, to: 1 }), /join/);
  const [, later = ""] = sqlOf(first, own).split(" anti join ");
  assert.match(later, /'\/zone\/2'/);
  assert.doesNotMatch(later, /'\/zone\/1'/);
});

Deno.test("versionsAsOfSql() looks up only keys in the range of later files", () => {
  const zone = openZone("/zone", { s3: undefined });
  const sqlOf = (...files: VersionsFile[]) =>
    versionsAsOfSql({ key: KEY, columns: COLUMNS, zone, files, asOf: NOW });
  const columns = columnsHash(STAMPED);
  const range = (least: string, greatest: string, column = "id") => ({
    keyRange: { column, least, greatest },
  });
  const first = { key: "1", from: 1, to: 10, holdsUntilBy: KEY, columns };
  const second = { key: "2", from: 11, to: 11, columns };
  const third = { key: "3", from: 12, to: 12, columns };
  const ranged = { ...second, ...range("9", "10") };

  assert.match(
    sqlOf(first, ranged, { ...third, ...range("-3", "9") }),
    /between -3 and 10/,
  );
  for (
    const files of [
      [first, ranged, third],
      [first, { ...second, ...range("9", "10", "part") }],
      [{ ...first, columns: "of a text as key" }, ranged],
      [{ key: "1", from: 1, to: 10, holdsUntilBy: KEY }, ranged],
    ]
  ) {
    assert.doesNotMatch(sqlOf(...files), /between/, JSON.stringify(files));
  }
});

async function openIn(folder: string, zone: Zone): Promise<DuckDb> {
  const config = readConfig(
    (name) => name === "TEMP_DIRECTORY" ? `${folder}/temp` : undefined,
    [],
  );
  return await openDuckDb(config, { zones: [zone.url] });
}

/** A table of versions; now and then the clock went back between batches. */
function versionsTable(random: Random): string {
  const rows: string[] = [];
  // Often, only some of the keys change after the first batches.
  const least = random.between(1, 4);
  for (let batch = 1; batch <= BATCHES; batch++) {
    const hour = isChosen(random, 0.2) ? random.between(0, BATCHES) : batch;
    for (const part of ["'a'", "'b'"]) {
      for (let id = batch <= 2 ? 1 : least; id <= 5; id++) {
        if (!isChosen(random, 0.3)) continue;
        const isDelete = isChosen(random, 0.3);
        rows.push(
          `(${part}, ${id}, ${isDelete ? "null" : batch}, ${batch},
            ${isDelete}, timestamp '2024-01-01' + interval ${hour} hour)`,
        );
      }
    }
  }
  const typed = STAMPED.map(({ name, type }, index) =>
    `cast(column${index} as ${type}) as ${quoteNames([name])}`
  );
  return `create or replace table versions as
    select ${typed.join(", ")} from (
      select null as column0, null as column1, null as column2,
        null as column3, null as column4, null as column5 where false
      union all select * from (values ${rows.join(", ")}))`;
}

/** Files of the versions: of one batch each, and of several in any kind. */
async function writeFiles(
  duckdb: DuckDb,
  options: { zone: Zone; random: Random; seed: number },
): Promise<VersionsFile[]> {
  const { zone, random, seed } = options;
  const files: VersionsFile[] = [];
  const [isHashed, isRanged] = [isChosen(random, 0.7), isChosen(random, 0.7)];
  for (let from = 1; from <= BATCHES;) {
    const to = Math.min(
      BATCHES,
      from + (isChosen(random, 0.5) ? 0 : random.between(1, 6)),
    );
    const kind: Kind = from === to ? "of the version before" : kindOf(random);
    const by = kind === "by another key" ? ["id"] : KEY;
    const own = `(from versions where batch between ${from} and ${to})`;
    const key = `seed${seed}/${from}-${to}.parquet`;
    const file = await writeParquet(
      duckdb,
      kind === "of the version before"
        ? `from ${own}`
        : holdsUntilSql(own, { columns: STAMPED, key: by }),
      { zone, key },
    );
    if (file !== undefined) {
      files.push({
        key,
        from,
        to,
        ...isHashed || isChosen(random, 0.7)
          ? { columns: columnsHash(STAMPED) }
          : {},
        ...isRanged || isChosen(random, 0.7) ? await rangeOf(duckdb, own) : {},
        ...kind === "of the version before" ? {} : { holdsUntilBy: by },
      });
    }
    from = to + 1;
  }
  return files;
}

/** As a batch notes it of its file. */
async function rangeOf(
  duckdb: DuckDb,
  versions: string,
): Promise<Pick<VersionsFile, "keyRange">> {
  const [found] = await duckdb.rows(
    `select ${keyRangeSql(KEY, COLUMNS)} as range from ${versions}`,
  );
  return foundKeyRange(found?.range, KEY);
}

function kindOf(random: Random): Kind {
  const { kind } = random.weighted<{ kind: Kind; weight: number }>([
    { kind: "merged", weight: 2 },
    { kind: "of the version before", weight: 1 },
    { kind: "by another key", weight: 1 },
  ]);
  return kind;
}

function isChosen(random: Random, share: number): boolean {
  return random.fraction() < share;
}

async function ranked(duckdb: DuckDb, filter: string) {
  return await rowsOf(
    duckdb,
    `(from (from versions where ${filter})
    qualify row_number() over (
      partition by ${quoteNames(KEY)} order by batch desc) = 1)
    where not is_delete`,
  );
}

async function rowsOf(duckdb: DuckDb, relation: string) {
  return await duckdb.rows(`select * from ${relation} order by all`);
}
