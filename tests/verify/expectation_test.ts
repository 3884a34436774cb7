import assert from "node:assert/strict";
import { join } from "node:path";
import { FAULT_COLUMN } from "../../lib/csv/csv_row.ts";
import { type DuckDb, openDuckDb } from "../../lib/duckdb/duckdb.ts";
import {
  type ContractTable,
  parseContract,
} from "../../lib/project/contract.ts";
import type { ModelSql, ProjectSql } from "../../lib/project/project_sql.ts";
import { NO_TABLE_HEADER } from "../harness/companies/company_of.ts";
import { readConfig } from "../../lib/settings/config.ts";
import {
  expectedRows,
  makeExpectation,
  WORK_CATALOGUE,
} from "../../verify/expectation.ts";

const TABLES = parseContract(`
  create table lot (
    lot_id integer not null,
    batch text,
    taken_on date,
    amount numeric(10,2),
    primary key (lot_id)
);
  create table part (
    a text not null,
    b text not null,
    primary key (a, b)
);`);

const LOT_MODEL: ModelSql = {
  table: NO_TABLE_HEADER,
  name: "fact_lot",
  kind: "fact",
  recordId: "lot_record_id",
  derivation: "row",
  key: ["lot_id"],
  reads: ["lot"],
  times: [],
  sql: "select lot_id, batch as lot_batch, taken_on, amount from changed.lot\n",
};

/** A join, whose key has so many rows as there are parts of a lot's batch. */
const PART_MODEL: ModelSql = {
  table: NO_TABLE_HEADER,
  name: "dim_part",
  kind: "dimension",
  derivation: "join",
  key: ["lot_id"],
  reads: ["lot", "part"],
  times: [],
  sql: `select lot.lot_id, part.b
    from current.lot as lot
    left join current.part as part on part.a = lot.batch
`,
};

/** Writes a table's rows, as a copy of the source brings them. */
async function writeCsv(
  { name, columns }: ContractTable,
  options: { folder: string; lines: readonly string[]; unreadable: boolean },
) {
  const { folder, lines, unreadable } = options;
  const path = join(folder, `${name}.csv`);
  const names = columns.map((column) => column.name);
  const shipped = unreadable ? [...names, FAULT_COLUMN] : names;
  await Deno.writeTextFile(
    path,
    [shipped.join(), ...lines].map((line) => `${line}\n`).join(""),
  );
  return {
    path,
    columns: shipped,
    rows: lines.length,
    lineBytesMax: undefined,
  };
}

/** Makes the expectation from these lines of CSV, and looks at it. */
async function expectation(
  given: {
    models: readonly ModelSql[];
    lot: readonly string[];
    part?: readonly string[];
    quarantine?: ReadonlyMap<string, string>;
    /** Rows that Postgres says that it sent. */
    sent?: number;
    kept?: string;
    /** A lot's last field says why it can't be read. */
    unreadable?: boolean;
  },
  look: (rows: (sql: string) => ReturnType<DuckDb["rows"]>) => Promise<void> =
    () => Promise.resolve(),
): Promise<void> {
  const made = await Deno.makeTempDir();
  // A folder named so has made a column, in some readers.
  const folder = join(made, "batch=000000001");
  await Deno.mkdir(folder);
  const write = (table: ContractTable, lines: readonly string[]) =>
    writeCsv(table, {
      folder,
      lines,
      unreadable: given.unreadable === true && table.name === "lot",
    });
  try {
    const config = readConfig(
      (name) => name === "TEMP_DIRECTORY" ? folder : undefined,
      [],
    );
    await using duckdb = await openDuckDb(config, { zones: [folder] });
    await duckdb.run(
      `attach '${join(folder, "verify.duckdb")}' as ${WORK_CATALOGUE}`,
    );
    const [lotTable, partTable] = TABLES;
    assert(lotTable !== undefined && partTable !== undefined);
    const lot = await write(lotTable, given.lot);
    const sql: ProjectSql = {
      tables: TABLES,
      models: given.models,
      quarantine: given.quarantine ?? new Map(),
      migrations: [],
      checks: [],
      dashboard: [],
      dashboardSettings: undefined,
      transformHash: "",
      earlierHashes: [],
    };
    await makeExpectation({
      duckdb,
      sql,
      source: new Map([
        ["lot", { ...lot, rows: given.sent ?? lot.rows }],
        ["part", await write(partTable, given.part ?? [])],
      ]),
      keptSql: (table) => table.name === "lot" ? given.kept : undefined,
    });
    await look((query) => duckdb.rows(query));
  } finally {
    await Deno.remove(made, { recursive: true });
  }
}

Deno.test("makeExpectation() sets aside a row that came with a reason", async () => {
  await expectation(
    {
      models: [LOT_MODEL],
      lot: ["1,L7,\\N,1.50,\\N", "2,L8,soon,1.50,is long"],
      unreadable: true,
    },
    async (rows) => {
      assert.deepEqual(
        await rows(`select lot_id from ${expectedRows("fact_lot")}`),
        [{ lot_id: "1" }],
      );
      assert.deepEqual(
        await rows(
          `select row_key, reason from ${expectedRows("quarantine")}`,
        ),
        [{ row_key: "2", reason: 'is long; taken_on is no date: "soon"' }],
      );
    },
  );
});

Deno.test("makeExpectation() reads each text as Postgres wrote it", async () => {
  await expectation(
    {
      models: [LOT_MODEL],
      lot: [
        "1,L7,2023-01-01,1.50",
        '2,"a ""b"",',
        'c\\\\N",\\N,\\N',
        '3,"\\N",\\N,-0.01',
        "4,,9999-12-31,99999999.99",
        "5,\\N,\\N,\\N",
      ],
      sent: 5,
    },
    async (rows) => {
      assert.deepEqual(
        await rows(`from ${expectedRows("fact_lot")} order by lot_id`),
        [
          ["1", "L7", "2023-01-01", "1.50"],
          ["2", 'a "b",\nc\\\\N', null, null],
          ["3", "\\N", null, "-0.01"],
          ["4", "", "9999-12-31", "99999999.99"],
          ["5", null, null, null],
        ].map(([lot_id, lot_batch, taken_on, amount]) => ({
          lot_id,
          lot_batch,
          taken_on,
          amount,
        })),
      );
    },
  );
});

Deno.test("makeExpectation() sets aside what can't be read, and what a query names", async () => {
  await expectation(
    {
      models: [LOT_MODEL, PART_MODEL],
      lot: [
        "1,good,2023-01-01,1",
        "2,old,0044-03-15 BC,2",
        "3,far,infinity,NaN",
        "4,odd,\\N,4",
        "5,new,-infinity,5",
      ],
      quarantine: new Map([[
        "lot",
        "select lot_id, 'odd' as reason from arrived.lot where batch = 'odd'\n",
      ]]),
      kept: `(select 2 as lot_id, 'kept' as batch, null::date as taken_on,
          2.00::decimal(10,2) as amount
        union all select 1, 'stale', null, 1)`,
    },
    async (rows) => {
      assert.deepEqual(
        await rows(`from ${expectedRows("quarantine")} order by row_key`),
        [
          {
            table_name: "lot",
            row_key: "2",
            reason: 'taken_on is no date: "0044-03-15 BC"',
            source_row:
              "{'lot_id': 2, 'batch': old, 'taken_on': NULL, 'amount': 2.00}",
          },
          {
            table_name: "lot",
            row_key: "3",
            reason:
              'taken_on is no date: "infinity"; amount is no numeric(10,2): "NaN"',
            source_row:
              "{'lot_id': 3, 'batch': far, 'taken_on': infinity, 'amount': NULL}",
          },
          {
            table_name: "lot",
            row_key: "4",
            reason: "odd",
            source_row:
              "{'lot_id': 4, 'batch': odd, 'taken_on': NULL, 'amount': 4.00}",
          },
          {
            table_name: "lot",
            row_key: "5",
            reason: 'taken_on is no date: "-infinity"',
            source_row:
              "{'lot_id': 5, 'batch': new, 'taken_on': -infinity, 'amount': 5.00}",
          },
        ],
      );
      assert.deepEqual(
        await rows(`from ${expectedRows("fact_lot")}`),
        [{
          lot_id: "1",
          lot_batch: "good",
          taken_on: "2023-01-01",
          amount: "1.00",
        }],
      );
      // The join sees the version before of a row that is set aside.
      assert.deepEqual(
        await rows(
          `select lot_id from ${expectedRows("dim_part")} order by lot_id`,
        ),
        [{ lot_id: "1" }, { lot_id: "2" }],
      );
    },
  );
});

Deno.test("makeExpectation() names the key that a model gives twice", async () => {
  await assert.rejects(
    expectation({
      models: [PART_MODEL],
      lot: ["1,L7,\\N,1", "2,L8,\\N,1"],
      part: ["L8,x", "L8,y"],
    }),
    {
      name: "StageError",
      message: 'Cannot verify "dim_part": its query gives the key 2 in 2 rows',
      subject: "dim_part",
      dataCheck: true,
    },
  );
});

Deno.test("makeExpectation() names the model whose key is null", async () => {
  await assert.rejects(
    expectation({
      models: [{ ...PART_MODEL, key: ["lot_id", "b"] }],
      lot: ["1,L7,\\N,1", "2,L8,\\N,1"],
      part: ["L8,x"],
    }),
    {
      name: "StageError",
      message:
        'Cannot verify "dim_part": its query gives a null in the key (lot_id, b)',
      subject: "dim_part",
    },
  );
});

Deno.test("makeExpectation() counts what Postgres sent", async () => {
  await assert.rejects(
    expectation({ models: [], lot: ["1,L7,\\N,1"], sent: 2 }),
    {
      name: "StageError",
      message: 'Cannot verify "lot": 1 row was read of 2 that Postgres sent',
      subject: "lot",
      retryable: true,
    },
  );
});
