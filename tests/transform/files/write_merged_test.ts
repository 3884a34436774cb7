import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { TOTESYS } from "../../../demo/examples.ts";
import type { LiveFile } from "../../../lib/batches/manifest.ts";
import { columnsHash } from "../../../lib/duckdb/data_files.ts";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { STAMP_COLUMNS } from "../../../lib/duckdb/version_columns.ts";
import { readProjectSql } from "../../../lib/project/project_sql.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { openZone } from "../../../lib/zone/zone.ts";
import { compactionBounds } from "../../../transform/files/compact.ts";
import { HOLDS_IN_FILE } from "../../../transform/files/holds_until_sql.ts";
import { writeMerged } from "../../../transform/files/write_merged.ts";
import { writeParquet } from "../../../transform/files/write_parquet.ts";
import { inFolder } from "../../harness/in_folder.ts";

const MODEL = "one";
const COLUMNS = [
  { name: "id", type: "INTEGER" },
  { name: "amount", type: "INTEGER" },
  ...STAMP_COLUMNS,
];
/** Fewer than one of Parquet's row groups, of 122,880 rows, holds. */
const KEYS = 100_000;
const BATCHES = 4;

Deno.test("writeMerged() writes current rows first, so that readers skip the row groups of ended ones", () =>
  inFolder(async (folder) => {
    const config = readConfig(
      (name) => name === "TEMP_DIRECTORY" ? `${folder}/temp` : undefined,
      [],
    );
    const zone = openZone(`${folder}/zone`, { s3: undefined });
    await using duckdb = await openDuckDb(config, { zones: [zone.url] });
    const merge: LiveFile[] = [];
    for (let batch = 1; batch <= BATCHES; batch++) {
      const key = `${batch}.parquet`;
      const file = await writeParquet(duckdb, versionsOf(batch), { zone, key });
      assert(file !== undefined);
      const columns = columnsHash(COLUMNS);
      const [from, to] = [batch, batch];
      merge.push({ ...file, model: MODEL, from, to, level: 0, columns });
    }

    const merged = await writeMerged({
      duckdb,
      zone,
      sql: readProjectSql(TOTESYS.sqlDirectory),
      batch: BATCHES + 1,
      runId: "run",
      bounds: compactionBounds({ config }),
      all: false,
      secondsLeft: () => Infinity,
      clock: () => new Date(),
      log: getLogger("test"),
      signal: new AbortController().signal,
    }, { merge, model: { key: ["id"] } });

    const path = zone.locate(merged?.key ?? "");
    const groups = await duckdb.rows(
      `select stats_max_value = '9223372036854775807' as holds,
        row_group_num_rows as rows
      from parquet_metadata('${path}')
      where path_in_schema = 'holds_until_batch' order by row_group_id`,
    );
    assert.deepEqual(groups.map(({ holds }) => holds), [
      "true",
      "false",
      "false",
      "false",
    ]);
    const order = await duckdb.rows(
      `select file_row_number as at, id, batch, ${HOLDS_IN_FILE} as holds
      from read_parquet('${path}', hive_partitioning = false)
      order by holds desc, id, batch`,
    );
    assert.equal(order.length, KEYS * BATCHES);
    assert(order.every(({ at }, index) => Number(at) === index));
  }));

/** SQL for a version of each key; the last batch deletes every second one. */
function versionsOf(batch: number): string {
  return `select cast(number as integer) as id, ${batch} as amount,
      cast(${batch} as bigint) as batch,
      ${batch} = ${BATCHES} and number % 2 = 0 as is_delete,
      timestamp '2024-01-01' + interval ${batch} hour as snapshot_time
    from range(${KEYS}) as numbers(number)`;
}
