import assert from "node:assert/strict";
import type { ProjectSql } from "../../lib/project/project_sql.ts";
import { QUARANTINE_TABLE } from "../../lib/project/quarantine_model.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { transform } from "../../transform/transform.ts";
import {
  openDuckDbReader,
  type Rows,
  rowsOf,
  withoutNulls,
} from "../harness/readers/iceberg_readers.ts";
import { lakeRows } from "../harness/readers/lake_rows.ts";
import { processedManifest } from "../harness/manifests.ts";
import {
  execute,
  openPlatform,
  type Platform,
  PROJECT_SQL,
  ZONE_KINDS,
} from "../harness/platform.ts";
import { changeSmall, fillSmall } from "../harness/companies/small_source.ts";
import { startTrino } from "../../embedded/trino_cluster.ts";
import { type TrinoRows, trinoRows } from "../../embedded/trino_rest.ts";
import { givenTrino } from "../harness/servers/trino.ts";

const CATALOG = "iceberg";
const MODELS = [...PROJECT_SQL.models, QUARANTINE_TABLE]
  .map(({ name }) => name);
/** Batches before a model's columns change; files are merged in some. */
const BATCHES = 5;

Deno.test({
  name: "Trino reads the lake's Iceberg tables",
  ignore: givenTrino() === undefined,
  fn: async (test) => {
    const server = givenTrino();
    assert.ok(server !== undefined);
    await using trino = await startTrino({
      server,
      workers: ["worker-1"],
      s3Endpoint: Deno.env.get("TEST_S3_ENDPOINT"),
    });
    for (const zones of ZONE_KINDS) {
      await test.step(`of a zone on ${zones}`, async (test) => {
        await using platform = await openPlatform({ zones });
        const lake = new TrinoLake(platform, {
          origin: trino.origin,
          schema: `lake_${zones.toLowerCase()}`,
        });
        await readTables(test, { platform, lake });
      });
    }
  },
});

async function readTables(
  test: Deno.TestContext,
  { platform, lake }: { platform: Platform; lake: TrinoLake },
): Promise<void> {
  const { client } = platform.source;
  platform.set({ icebergCatalogue: "zone" });
  platform.context.compaction = { fanOut: 2 };
  for (let batch = 1; batch <= BATCHES; batch++) {
    await (batch === 1 ? fillSmall(client) : changeSmall(client, batch));
    if (batch === 3) {
      await execute(client, "delete from design where design_id = 3");
    }
    await platform.extract({ allowMassDelete: true });
    await platform.transform();
  }

  await test.step("after merges: the views, now and as of older batches", async () => {
    await lake.register();

    await assertSameViews(lake, { models: MODELS, batches: [2, BATCHES - 1] });
  });

  await test.step("after merges: the tables, and each of their snapshots", async () => {
    const operations = await assertSameTables(lake, MODELS);

    assert.deepEqual([...operations].sort(), ["append", "replace"]);
  });

  await test.step("after a model's columns have changed", async () => {
    platform.context.sql = withMoreColumns();
    await execute(
      client,
      "update design set design_name = 'Ash' where design_id = 2",
    );
    await platform.extract();
    await transform(platform.context, { accept: true });
    await lake.register();

    const models = ["dim_design", "fact_sales_order"];
    await assertSameViews(lake, { models, batches: [2, BATCHES] });
    await assertSameTables(lake, models);
    const columns = await lake.columns("dim_design_current");
    assert.deepEqual(columns.slice(0, 3), [
      ["design_id", "bigint"],
      ["design_name", "varchar"],
      ["file_location", "varchar"],
    ]);
    const shouted = "select shout from dim_design_current where shout = 'Ash!'";
    assert.equal((await lake.rows(shouted)).length, 1);
  });
}

/** Fails unless each view shows what that of `lake.duckdb` shows. */
async function assertSameViews(
  lake: TrinoLake,
  { models, batches }: {
    models: readonly string[];
    /** As of these, by their number and by their time. */
    batches: readonly number[];
  },
): Promise<void> {
  const { platform } = lake;
  const { config } = platform;
  await using duckdb = await openDuckDbReader(config.s3);
  const { connection } = duckdb;
  await connection.run(
    `attach '${config.processedUrl}/lake.duckdb' as lake (read_only)`,
  );
  const expected = async (relation: string) =>
    (await rowsOf(connection, `from lake.${relation}`)).map(sameMoments).sort();
  const times = new Map<number, string>();
  for (const batch of batches) {
    const { snapshotTime } = await processedManifest(platform, batch);
    times.set(batch, snapshotTime.replace("T", " ").replace("Z", ""));
  }
  for (const model of models) {
    const shown = (await lake.columns(`${model}_current`))
      .map(([name]) => `"${name}"`).join();
    for (const view of [`${model}_current`, `${model}_history`]) {
      const rows = await lake.rows(`select * from ${view}`);
      assert.deepEqual(rows, await expected(view), view);
    }
    for (const [batch, time] of times) {
      const asOf = await expected(`${model}_as_of_batch(${batch})`);
      for (
        const condition of [
          `from_batch <= ${batch} and (to_batch > ${batch} or to_batch is null)`,
          `valid_from <= timestamp '${time}'
          and (valid_to > timestamp '${time}' or valid_to is null)`,
        ]
      ) {
        const rows = await lake.rows(
          `select ${shown} from ${model}_history where ${condition}`,
        );
        assert.deepEqual(rows, asOf, `${model}: ${condition}`);
      }
    }
  }
}

/**
 * Fails unless each table, and each of its snapshots, has the versions that the
 * lake's files have; the snapshots' operations.
 */
async function assertSameTables(
  lake: TrinoLake,
  models: readonly string[],
): Promise<Set<string>> {
  const operations = new Set<string>();
  for (const model of models) {
    const all = (await lakeRows(lake.platform, { model })).map(sameMoments);
    assert.deepEqual(await lake.rows(`select * from ${model}`), all.sort());
    const snapshots = await lake.query(
      `select snapshot_id, element_at(summary, 'totesys.batch'), operation
      from "${model}$snapshots"`,
    );
    for (const [id, batch, operation] of snapshots) {
      operations.add(String(operation));
      const rows = await lake.rows(
        `select * from ${model} for version as of ${id}`,
      );
      assert.deepEqual(
        rows,
        all.filter((row) => Number(JSON.parse(row).batch) <= Number(batch)),
        `${model} as of ${operation} ${batch}`,
      );
    }
  }
  return operations;
}

/** A lake's tables and views in a schema of Trino's. */
class TrinoLake {
  readonly platform: Platform;
  readonly #origin: string;
  readonly #schema: string;

  constructor(
    platform: Platform,
    { origin, schema }: { origin: string; schema: string },
  ) {
    this.platform = platform;
    this.#origin = origin;
    this.#schema = schema;
  }

  /** Registers the newest metadata of each table, and makes the views. */
  async register(): Promise<void> {
    const { config } = this.platform;
    const at = `schema_name => '${this.#schema}'`;
    await this.query(`create schema if not exists ${CATALOG}.${this.#schema}`);
    const tables = (await this.query("show tables")).map(([name]) => name);
    for (const model of MODELS) {
      const table = `_iceberg/${model}`;
      const version = await this.#read(`${table}/metadata/version-hint.text`);
      if (tables.includes(model)) {
        await this.query(`call system.unregister_table(
          ${at}, table_name => '${model}')`);
      }
      const url = `${config.processedUrl}/${table}`;
      await this.query(`call system.register_table(
        ${at}, table_name => '${model}',
        table_location => '${url.startsWith("/") ? `file://${url}` : url}',
        metadata_file_name => 'v${version}.metadata.json')`);
    }
    const views = await this.#read("_iceberg/views.sql");
    for (const statement of views.split(/;$/m)) {
      if (statement.trim() !== "") await this.query(statement);
    }
  }

  /** A query's rows as those of other readers are. */
  async rows(sql: string): Promise<Rows> {
    const { columns, rows } = await this.#ask(sql);
    return rows.map((row) => {
      const texts = columns.map((name, index) => {
        const value = row[index] ?? null;
        return [name, value === null ? null : String(value)];
      });
      return sameMoments(
        withoutNulls(JSON.stringify(Object.fromEntries(texts))),
      );
    }).sort();
  }

  /** The names and types of a table's or view's columns. */
  async columns(name: string): Promise<[name: string, type: string][]> {
    return (await this.query(`show columns from ${name}`))
      .map(([column, type]) => [String(column), String(type)]);
  }

  /** A statement's rows. */
  async query(sql: string): Promise<unknown[][]> {
    return (await this.#ask(sql)).rows;
  }

  #ask(sql: string): Promise<TrinoRows> {
    const names = { catalog: CATALOG, schema: this.#schema };
    return trinoRows(this.#origin, sql, names);
  }

  async #read(key: string): Promise<string> {
    const { config } = this.platform;
    const zone = openZone(config.processedUrl, { s3: config.s3 });
    const stored = await zone.read(key);
    zone.close();
    assert.ok(stored !== undefined, key);
    return new TextDecoder().decode(stored.bytes).trim();
  }
}

/** A row whose moments have no zeros at the end of their fractions. */
function sameMoments(row: string): string {
  return row.replace(/(\d\d:\d\d:\d\d)\.(\d*?)0+"/g, '$1.$2"')
    .replace(/(\d\d:\d\d:\d\d)\."/g, '$1"');
}

/** The project's SQL, where a design has one more column and a wider key. */
function withMoreColumns(): ProjectSql {
  const models = PROJECT_SQL.models.map((model) => {
    if (model.name !== "dim_design") return model;
    const sql = model.sql
      .replace(
        "    design_id,\n",
        "    cast(design_id as bigint) as design_id,\n",
      )
      .replace(
        "    file_name\n",
        "    file_name,\n    design_name || '!' as shout\n",
      );
    assert.notEqual(sql, model.sql);
    return { ...model, sql };
  });
  return { ...PROJECT_SQL, models };
}
