import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { query } from "../../lib/postgres/postgres.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { readConfig } from "../../lib/settings/config.ts";
import { processedManifest } from "../harness/manifests.ts";
import { execute, openPlatform } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";
import { SQL_DIRECTORY } from "../harness/companies/sql_directory.ts";

/** Folders whose messages people may meet. */
const SPEAKING = [
  "demo",
  "embedded",
  "extract",
  "init",
  "lib",
  "load",
  "operate",
  "sweep",
  "transform",
  "verify",
  "visualise",
];
/** Read by others than `readConfig`: the runtime, DuckDB's host, the terminal. */
const READ_ELSEWHERE = [
  "ANALYST_SECRET_ID",
  "DASHBOARD_SECRET_ID",
  "ICEBERG_SECRET_ID",
  "METRICS_NAMESPACE",
  "NO_COLOR",
  "SOURCE_SECRET_ID",
  "WAREHOUSE_SECRET_ID",
];
/** The system's, Lambda's, and what libpq and the AWS SDK read and is refused here. */
const OF_THE_SYSTEM =
  /^(TMP|TMPDIR|TEMP|HOME.*|USERPROFILE|_X_AMZN.*|PG.*|AWS_.*ENDPOINT.*)$/;

const README = await read("README.md");

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(join(platformDirectory(), path));
}

/** The first column of a page's tables, and the first lines of its lists. */
async function firstColumn(path: string): Promise<string[]> {
  const text = await read(path);
  const lines = text.split("\n");
  const cells = lines.filter((line, index) =>
    line.startsWith("| ") && !line.startsWith("| --") &&
    !lines[index + 1]?.startsWith("| --")
  ).map((line) => line.slice(2).split(/ +\| /)[0] ?? "");
  const items = [...text.matchAll(/^- ((?:(?!^- )[^\\])*?)\\\n/gm)]
    .map(([, item = ""]) => item.replaceAll(/\n +/g, " "));
  return [...cells, ...items];
}

/** What stands in backticks. */
function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
}

/** The text of every file below these folders, with blanks as one. */
async function textOf(folders: readonly string[]): Promise<string> {
  let text = "";
  for (const folder of folders) {
    for await (const entry of Deno.readDir(join(platformDirectory(), folder))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) text += await textOf([path]);
      else if (/\.(ts|js|sql)$/.test(path)) text += await read(path);
    }
  }
  return text.replaceAll(/\s+/g, " ");
}

const { tasks, imports } = JSON.parse(await read("deno.json")) as {
  tasks: Record<string, unknown>;
  imports: Record<string, string>;
};

Deno.test("docs/commands.md names every task, and no other, in deno.json's order", async () => {
  const named = (await firstColumn("docs/commands.md")).flatMap(quoted)
    .filter((name) => name !== "bench:*");

  const benches = (name: string) => !name.startsWith("bench:");
  assert.deepEqual(named, Object.keys(tasks).filter(benches));
});

Deno.test("docs/settings.md names every setting that is read, and no other", async () => {
  const asked = new Set(READ_ELSEWHERE);
  const url = "postgres://u:p@localhost/db";
  const set: Record<string, string> = {
    INGESTION_URL: "s3://bucket/a",
    PROCESSED_URL: "s3://bucket/b",
    SOURCE_URL: url,
    WAREHOUSE_URL: url,
    ANALYST_URL: url,
    AWS_REGION: "eu-west-2",
  };
  readConfig((name) => {
    if (!OF_THE_SYSTEM.test(name)) asked.add(name);
    return set[name];
  }, ["source", "warehouse", "ingestion", "processed", "analyst"]);

  const named = (await firstColumn("docs/settings.md")).flatMap(quoted);

  assert.deepEqual([...asked].filter((name) => !named.includes(name)), []);
  const example = await read(".env.example");
  const ours = [...asked].filter((name) => !name.startsWith("PG"));
  assert.deepEqual(ours.filter((name) => !example.includes(name)), []);
  const code = await textOf(SPEAKING);
  for (const name of named) assert.ok(code.includes(name), name);
});

Deno.test("a function may read every setting that a task may", async () => {
  const bootstrap = await read("package/bootstrap");
  const [, list = ""] = /--allow-env=(\S+)/.exec(bootstrap) ?? [];
  const allowed = list.split(",");
  const isAllowed = (name: string) =>
    allowed.some((one) =>
      one === name || one.endsWith("*") && name.startsWith(one.slice(0, -1))
    );

  const { env } = JSON.parse(await read("deno.json")).permissions.platform;

  assert.deepEqual(env.filter((name: string) => !isAllowed(name)), []);
});

Deno.test("docs/errors.md names messages that the code has", async () => {
  const code = await textOf(SPEAKING);
  // Messages of Postgres and DuckDB stand in some; each has words of ours.
  const placeholders = /"[^"]*"|\.\.\.|<[^>]*>|\b[nmx]\b|host:port\/db|[:=]|\//;
  const messages = (await firstColumn("docs/errors.md")).flatMap(quoted);

  assert.ok(messages.length > 50);
  const unknown = messages.filter((message) => {
    const parts = message.split(placeholders).flatMap((part) => [
      part.trim(),
      part.replace(/^Cannot (read|write to) (the )?| of $/g, "").trim(),
    ]).filter((part) => part.length > 3);
    return parts.length > 0 && !parts.some((part) => code.includes(part));
  });
  assert.deepEqual(unknown, []);
});

/** Shown only by a fault in the code, or by a wrong option of a benchmark. */
const NEVER_MET = [
  "Cannot choose",
  "Cannot encode",
  "Cannot fill the source",
  "Cannot use the key",
];

Deno.test("docs/errors.md has a row for every message that begins with Cannot", async () => {
  const code = await textOf(SPEAKING);
  const page = (await firstColumn("docs/errors.md")).join("\n");
  const begun = code.matchAll(/["`](Cannot \w+(?: (?:the |an? )?\w+)?)/g);
  const begins = new Set([...begun].map(([, begin = ""]) => begin));

  assert.ok(begins.size > 50);
  const missing = [...begins].filter((begin) => {
    const [verb] = /^Cannot \w+/.exec(begin) ?? [];
    return !page.includes(begin) && !page.includes(`\`${verb} ...\``);
  });
  assert.deepEqual(missing.sort(), NEVER_MET);
});

Deno.test("docs/errors.md has a row for each cause that such a message names", async () => {
  const code = await textOf(SPEAKING);
  const rows = (await firstColumn("docs/errors.md")).flatMap(quoted)
    .map((row) => row.replace(/"[^"]*"/g, '"..."'))
    .map((row) => row.split(/\.\.\.|<[^>]*>|host:port\/db|\b[nmc]\b/));

  const messages = [...code.matchAll(CANNOT)].map(([, template, text = ""]) =>
    (template ?? text).replace(/\$\{[^}]*\}/g, "...")
  );

  // What others say is wrong, such as the server, has no row.
  const own = messages.filter((message) => /: (\.\.\. )*[a-z]/.test(message))
    .filter((message) => !NEVER_MET.some((begin) => message.startsWith(begin)));
  assert.ok(own.length > 50);
  assert.deepEqual(
    own.filter((message) => !rows.some((parts) => holds(message, parts))),
    [],
  );
});

/** A message that begins so, as a template or a text; not its begin alone. */
const CANNOT =
  /`(Cannot (?:[^`$\\]|\\.|\$\{[^}]*\}|\$)*)`|"(Cannot (?:[^"\\]|\\.)*)"/g;

/** Whether a message has these parts in their order, from its beginning. */
function holds(message: string, parts: readonly string[]): boolean {
  let at = 0;
  return parts.every((part, index) => {
    const found = message.indexOf(part.trim(), at);
    at = found + part.trim().length;
    return index === 0 ? found === 0 : found >= 0;
  });
}

Deno.test("docs/packages.md names the packages of deno.json", async () => {
  const named = quoted(await read("docs/packages.md"));

  for (const name of Object.keys(imports)) {
    if (!name.startsWith("@types/")) assert.ok(named.includes(name), name);
  }
});

/**
 * Where a path of the project is: documents speak of the `sql/` that ships,
 * even where another company's has taken its place.
 */
function placeOf(path: string): string {
  const [, ofCompany] = /^sql(?:\/(.*))?$/.exec(path) ?? [];
  return ofCompany === undefined
    ? join(platformDirectory(), path)
    : join(SQL_DIRECTORY, ofCompany);
}

Deno.test("every link of a document leads to a file", async () => {
  const documents = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
  for await (
    const { name } of Deno.readDir(join(platformDirectory(), "docs"))
  ) {
    if (name.endsWith(".md")) documents.push(`docs/${name}`);
  }
  for (const path of documents) {
    const folder = dirname(join(platformDirectory(), path));
    for (const [, to = ""] of (await read(path)).matchAll(/\]\(([^)#]+)/g)) {
      if (/^https?:/.test(to)) continue;
      const place = relative(platformDirectory(), join(folder, to));
      assert.ok(existsSync(placeOf(place)), `${path}: ${to}`);
    }
  }
});

Deno.test("a message that points to a section of a document names an existing one", async () => {
  const code = await textOf(SPEAKING);

  const named = [...code.matchAll(/"([^"]+)" in (docs\/[\w-]+\.md)/g)];
  assert.ok(named.length > 1);
  for (const [, section = "", path = ""] of named) {
    const isHeading = new RegExp(`^#+ ${section}$`, "m");
    assert.match(await read(path), isHeading);
  }
});

Deno.test("docs/architecture.md names only files that exist", async () => {
  for (const name of quoted(await read("docs/architecture.md"))) {
    if (!/^[\w./-]+\/[\w./-]*$/.test(name)) continue;
    assert.ok(existsSync(placeOf(name)), name);
  }
});

Deno.test("README.md's queries run in the warehouse and in the lake, with the same result", async () => {
  await using platform = await openPlatform({ warehouse: "empty" });
  await fillSmall(platform.source.client);
  await platform.run();
  const { snapshotTime } = await processedManifest(platform, 1);
  const time = `${snapshotTime.slice(0, -1).replace("T", " ")}+00`;
  await execute(
    platform.source.client,
    "update sales_order set units_sold = 7 where sales_order_id = 1",
  );
  await platform.run();
  const queries = [...README.matchAll(/^```sql\n([^]*?)^```$/gm)]
    .map(([, sql = ""]) => sql);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(
    `attach '${platform.config.processedUrl}/lake.duckdb' as lake (read_only)`,
  );
  await connection.run("use lake");
  const inLake = async (sql: string) =>
    (await connection.runAndReadAll(sql)).getRowsJson().map(String).sort();
  const inWarehouse = async (sql: string) =>
    (await query(platform.warehouse.client, sql))
      .map((row) => String(Object.values(row))).sort();

  assert.ok(queries.length > 0);
  for (const sql of queries) {
    assert.deepEqual(await inLake(sql), await inWarehouse(sql), sql);
    const ofFirst = sql.replaceAll(/'\d{4}-\d\d-\d\d [\d:+]+'/g, `'${time}'`);
    const rows = await inLake(ofFirst);
    assert.deepEqual(rows, await inWarehouse(ofFirst), ofFirst);
    assert.ok(rows.length > 0, ofFirst);
  }
  // What the table of relations says of a batch that is still to come.
  const sum = "select sum(units_sold) from fact_sales_order";
  for (const run of [inLake, inWarehouse]) {
    assert.deepEqual(
      await run(`${sum}_as_of_batch(1000)`),
      await run(`${sum}_current`),
    );
  }
  connection.closeSync();
  instance.closeSync();
});
