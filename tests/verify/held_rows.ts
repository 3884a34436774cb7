import assert from "node:assert/strict";
import { join } from "node:path";
import { type DuckDb, openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { type Connection, inTransaction } from "../../lib/postgres/postgres.ts";
import { readConfig } from "../../lib/settings/config.ts";
import { comparableSql } from "../../verify/comparable_sql.ts";
import { WORK_CATALOGUE } from "../../verify/expectation.ts";
import { findDifferences } from "../../verify/find_differences.ts";
import type { ModelInLake } from "../../verify/lake_rows.ts";
import {
  copyFromWarehouse,
  ENDED_IN_WAREHOUSE,
  INEXACT,
  OPEN_IN_WAREHOUSE,
  readFromWarehouse,
} from "../../verify/warehouse_rows.ts";
import { openTestDatabase } from "../harness/servers/postgres.ts";

export interface Engines {
  duckdb: DuckDb;
  postgres: Connection["client"];
  folder: string;
}

export async function withEngines(
  test: (engines: Engines) => Promise<void>,
): Promise<void> {
  await using database = await openTestDatabase();
  await using connection = await connect(database.settings, {
    purpose: "test",
  });
  // A folder named so has made a column, in some readers.
  const made = await Deno.makeTempDir();
  const folder = join(made, "number=7");
  await Deno.mkdir(folder);
  try {
    const config = readConfig(
      (name) => name === "TEMP_DIRECTORY" ? folder : undefined,
      [],
    );
    await using duckdb = await openDuckDb(config, { zones: [folder] });
    await duckdb.run(
      `attach '${join(folder, "verify.duckdb")}' as ${WORK_CATALOGUE}`,
    );
    await test({ duckdb, postgres: connection.client, folder });
  } finally {
    await Deno.remove(made, { recursive: true });
  }
}

/** Makes a table of the warehouse with what loads add, and its views. */
export async function makeHeld(
  { postgres }: Engines,
  options: { columns: readonly string[]; rows: readonly string[] },
): Promise<void> {
  const { columns, rows } = options;
  await postgres.query(
    `create schema pipeline;
    create table pipeline.batch as select 1::bigint as batch;
    create table held (number integer, ${columns.join(", ")});
    insert into held values ${rows.join(", ")};
    alter table held add column valid_from timestamptz default '2023-01-01',
      add column valid_to timestamptz, add column from_batch bigint default 1,
      add column to_batch bigint;
    create view held_history as select * from held;
    create function held_as_of_batch(bigint) returns setof held_history
      language sql as 'select * from public.held_history where from_batch <= $1 and (to_batch is null or to_batch > $1)';
    create view held_current as select * from held where to_batch is null;
    create function held_as_of_time(timestamptz) returns setof held_history
      language sql as 'select * from public.held_history where valid_from <= $1 and (valid_to is null or valid_to > $1)'`,
  );
}

/** As `verify` does it: in one transaction. */
export function copyIn(
  postgres: Connection["client"],
  options: Parameters<typeof copyFromWarehouse>[1],
) {
  return inTransaction(
    postgres,
    { oneState: true },
    () => copyFromWarehouse(postgres, options),
  );
}

/** Compares them with the same rows of DuckDB; gives the numbers that differ. */
export async function compareHeld(
  { duckdb, postgres, folder }: Engines,
  times: readonly string[] = [],
): Promise<(string | null)[]> {
  const described = await duckdb.rows("describe held");
  const columns = described.map((row) => ({
    name: row.column_name ?? "",
    type: row.column_type ?? "",
    isTime: times.includes(row.column_name ?? ""),
  }));
  const model: ModelInLake = {
    name: "held",
    kind: "fact",
    derivation: "row",
    reads: [],
    key: ["number"],
    columns,
  };
  const held = await copyIn(postgres, { model, batch: 1, folder });
  assert.deepEqual(held.differing, []);
  assert.deepEqual(held.views, []);
  await readFromWarehouse(duckdb, held);
  const [ended] = await duckdb.rows(
    `select count(*) as rows from ${ENDED_IN_WAREHOUSE}`,
  );
  assert.equal(ended?.rows, "0");
  const found = await findDifferences(duckdb, {
    key: model.key,
    columns: [...columns.map(({ name }) => name).slice(1), " inexact"],
    expected: `(select ${
      held.columns.map((column) =>
        `${comparableSql(column)} as "${column.name}"`
      )
        .join(", ")
    }, false as ${INEXACT} from held)`,
    actual: OPEN_IN_WAREHOUSE,
    doubles: `(select number from held limit 0)`,
  });
  assert.equal(found.keys, found.firstKeys.length);
  return found.firstKeys.map(({ key, kind }) => `${key} ${kind}`);
}
