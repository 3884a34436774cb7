import assert from "node:assert/strict";
import { join } from "node:path";
import { type DuckDb, openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { StageError } from "../../lib/errors.ts";
import { quoteText } from "../../lib/sql/quote.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import { readConfig } from "../../lib/settings/config.ts";
import { openZone } from "../../lib/zone/zone.ts";
import { registerModels } from "../../lib/models/register_models.ts";
import { inFolder } from "../harness/in_folder.ts";
import {
  openPlatform,
  type Platform,
  PROJECT_SQL,
  ZONE_KINDS,
  type ZoneKind,
} from "../harness/platform.ts";
import { BUCKET } from "../harness/servers/s3.ts";
import { fillSmall } from "../harness/companies/small_source.ts";

/** What DuckDB says of what it may not reach, or doesn't have. */
const REFUSED =
  /Permission Error|configuration has been locked|disabled (by|through) configuration|Displaying unredacted secrets is disabled|getenv does not exist|[Pp]ersistent secrets? .*disabled/;

interface Surroundings {
  kind: ZoneKind;
  platform: Platform;
  /** The zone of the stage. */
  zone: string;
  /** A file beside the zones. */
  outside: string;
}

/** What would lead out of the zones and the temporary folder. */
function escapes({ kind, platform, zone, outside }: Surroundings): string[] {
  const { endpoint } = platform.config.s3 ?? {};
  const beside = outside.slice(0, outside.lastIndexOf("/"));
  const read = (path: string) => `from read_text(${quoteText(path)})`;
  return [
    read("/etc/passwd"),
    read("/proc/self/environ"),
    read("file:///etc/passwd"),
    read(outside),
    read(`${zone}-beside/a.csv`),
    `from ${quoteText(outside)}`,
    `from read_csv('/etc/*')`,
    `from read_parquet(${quoteText(`${beside}/**/*.parquet`)})`,
    `from glob(${quoteText(`${beside}/*`)})`,
    `from sniff_csv(${quoteText(outside)})`,
    read("https://127.0.0.1:1/a.csv"),
    "install json",
    "install spatial from community",
    "load '/tmp/other.duckdb_extension'",
    `attach ${quoteText(`${beside}/other.duckdb`)} as other`,
    `copy (select 1) to ${quoteText(`${beside}/out.csv`)}`,
    `export database ${quoteText(`${beside}/out`)}`,
    "create persistent secret mine (type http)",
    "set allow_persistent_secrets = true",
    "from duckdb_secrets(redact = false)",
    "select getenv('HOME')",
    "set enable_external_access = true",
    "set allowed_directories = ['/']",
    "set temp_directory = '/tmp'",
    "reset lock_configuration",
    ...(kind === "S3"
      ? [
        read(`s3://${BUCKET}-other/a.csv`),
        read(`${endpoint}/${BUCKET}/a.csv`),
        `from glob('s3://${BUCKET}/*')`,
        "set enable_server_cert_verification = false",
        "set s3_endpoint = '127.0.0.1:1'",
      ]
      : [
        read(`${zone}/../a.csv`),
        read(`${zone}/link`),
        `from read_text(${quoteText(`${zone}/*/passwd`)})`,
      ]),
  ];
}

/** Links that lead out of a zone on disk, and files beside both kinds. */
async function surround(
  kind: ZoneKind,
  platform: Platform,
  folder: string,
): Promise<string> {
  if (kind === "S3") {
    const base = platform.config.ingestionUrl.replace(/\/[^/]+$/, "");
    const zone = openZone(base, { s3: platform.config.s3 });
    const content = new TextEncoder().encode("1\n");
    for (const key of ["a.csv", "ingestion-beside/a.csv"]) {
      await zone.put(key, content);
    }
    zone.close();
    return `${base}/a.csv`;
  }
  for (
    const url of [platform.config.ingestionUrl, platform.config.processedUrl]
  ) {
    await Deno.mkdir(url, { recursive: true });
    await Deno.symlink("/etc/passwd", join(url, "link"));
    await Deno.symlink("/etc", join(url, "etc"));
  }
  const outside = join(folder, "a.csv");
  await Deno.writeTextFile(outside, "1\n");
  return outside;
}

for (const kind of ZONE_KINDS) {
  Deno.test(`the DuckDB of transform and of load is locked to its zones (${kind})`, () =>
    inFolder(async (folder) => {
      await using platform = await openPlatform({
        zones: kind,
        warehouse: "empty",
      });
      const { context, config } = platform;
      await fillSmall(platform.source.client);
      const outside = await surround(kind, platform, folder);
      const opened: string[][] = [];
      context.resources = {
        ...context.resources,
        openDuckDb: async (settings, options) => {
          opened.push([...options.zones]);
          const duckdb = await openDuckDb(settings, options);
          for (const zone of options.zones) {
            const statements = escapes({ kind, platform, zone, outside });
            for (const statement of statements) {
              await assert.rejects(duckdb.run(statement), REFUSED, statement);
            }
          }
          return duckdb;
        },
      };

      await platform.run();

      // Load has no business in the zone that transform reads, nor what derives
      // tables from models in any.
      assert.deepEqual(opened, [
        [config.ingestionUrl, config.processedUrl],
        [],
        [config.processedUrl],
      ]);
    }));
}

/** SQL in place of a model's, with the message that refuses it. */
const MODELS: Record<string, { sql: string; message: string }> = {
  "a file": {
    sql: "select * from read_text('/etc/passwd')",
    message: "it reads read_text()",
  },
  "a file in an expression": {
    sql:
      "select currency_id, (select max(column0) from '/etc/x.csv') from changed.currency",
    message: 'it reads "/etc/x.csv"',
  },
  "an address": {
    sql: "select * from read_csv('http://127.0.0.1:1/x.csv')",
    message: "it reads read_csv()",
  },
  "another place by way of the zone": {
    sql: `select * from "s3://${BUCKET}/zone/../../other/x.parquet"`,
    message: `it reads "s3://${BUCKET}/zone/../../other/x.parquet"`,
  },
  "a server of its own": {
    sql:
      `with given as (select 1) select * from given, read_parquet('s3://${BUCKET}/x?s3_endpoint=127.0.0.1:1')`,
    message: "it reads read_parquet()",
  },
  "a name that a query within it has": {
    sql:
      `select * from '/etc/passwd', (with "/etc/passwd" as (select 1) select 2)`,
    message: 'it reads "/etc/passwd"',
  },
  "a query made of text": {
    sql: "select * from query('from read_text(''/etc/passwd'')')",
    message: "it reads query()",
  },
  "what DuckDB logs": {
    sql: "select message from enable_logging('HTTP'), duckdb_logs",
    message: 'it reads enable_logging(), it reads "duckdb_logs"',
  },
  "another catalogue": {
    sql: "select * from system.main.duckdb_secrets, temp.changed.currency",
    message:
      'it reads "system.main.duckdb_secrets", it reads "temp.changed.currency"',
  },
  "more than one statement": {
    sql: "select 1; select 2",
    message: "it is more than one statement",
  },
  "a statement out of its brackets": {
    sql: "select 1); attach '/tmp/x.duckdb' as other; (select 2",
    message: "it is not a select: ",
  },
  "a secret": {
    sql: "create secret (type s3, endpoint '127.0.0.1:1')",
    message: "it is not a select: ",
  },
  "a copy": {
    sql: "copy changed.currency to '/tmp/out.csv'",
    message: "it is not a select: ",
  },
};

for (const [name, { sql, message }] of Object.entries(MODELS)) {
  Deno.test(`transform() refuses a model that asks for ${name}`, async () => {
    const models = PROJECT_SQL.models.map((model): ModelSql =>
      model.name === "dim_currency" ? { ...model, sql } : model
    );
    const duckdb = await duckdbOfTests();

    await assert.rejects(
      registerModels(duckdb, { ...PROJECT_SQL, models }),
      (error) => {
        assert.ok(error instanceof StageError, String(error));
        const begin = `Cannot use sql/models/dim_currency.sql: ${message}`;
        assert.ok(error.message.startsWith(begin), error.message);
        assert.match(error.hint ?? "", /one select from arrived\.<table>/);
        return true;
      },
    );
    await duckdb[Symbol.asyncDispose]();
  });
}

Deno.test("transform() refuses a quarantine rule that reads a file, and commits nothing", async () => {
  const sql = "select 1 as currency_id, content as reason from read_text('/x')";
  const quarantine = new Map([["currency", sql]]);
  await using platform = await openPlatform({
    sql: { ...PROJECT_SQL, quarantine },
  });
  await fillSmall(platform.source.client);
  await platform.extract();

  await assert.rejects(
    platform.transform(),
    /^StageError: Cannot use sql\/quarantine\/currency\.sql: it reads read_text/,
  );

  await assert.rejects(
    Deno.stat(platform.config.processedUrl),
    Deno.errors.NotFound,
  );
});

/** One with no zone at all. */
function duckdbOfTests(): Promise<DuckDb> {
  return openDuckDb(readConfig(() => undefined, []), { zones: [] });
}
