import { join } from "node:path";
import { Client } from "pg";
import {
  type PostgresServer,
  startPostgresServer,
} from "../../../embedded/postgres_server.ts";
import {
  type PostgresSettings,
  readConfig,
} from "../../../lib/settings/config.ts";

/** A database of a test's own. */
export interface TestDatabase extends AsyncDisposable {
  /** The superuser's connection URL. */
  url: string;
  settings: PostgresSettings;
  /** A superuser's connection to it. */
  client: Client;
}

/** The shared templates, by what they hold. */
const shared = new Map<string, Promise<string>>();

let started: Promise<{ server: PostgresServer; folder: string }> | undefined;

/**
 * The superuser's URL of the server that tests use: `TEST_POSTGRES_URL`, or
 * one that is started for this file of tests and stopped after its last.
 */
export async function testPostgresUrl(database = "postgres"): Promise<string> {
  const shared = Deno.env.get("TEST_POSTGRES_URL");
  if (shared !== undefined) {
    const url = new URL(shared);
    url.pathname = `/${encodeURIComponent(database)}`;
    return url.href;
  }
  started ??= startServer();
  return (await started).server.url(database);
}

/** Makes a database, empty or as a template; it is dropped at the end. */
export async function openTestDatabase(
  template = "template1",
): Promise<TestDatabase> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  const admin = await openClient(await testPostgresUrl());
  // The files are copied without a log of each page.
  await admin.query(
    `create database ${name} template ${template} strategy file_copy`,
  );
  const url = await testPostgresUrl(name);
  const settings = settingsOf(url);
  const client = await openClient(url);
  return {
    url,
    settings,
    client,
    [Symbol.asyncDispose]: async () => {
      await client.end();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}

/** Makes a database to copy, filled once; nobody stays connected to it. */
export async function makeTemplate(
  fill: (client: Client) => Promise<void>,
): Promise<string> {
  const name = `template_${crypto.randomUUID().replaceAll("-", "")}`;
  const admin = await openClient(await testPostgresUrl());
  await admin.query(`create database ${name}`);
  await admin.end();
  const client = await openClient(await testPostgresUrl(name));
  await fill(client);
  await client.end();
  return name;
}

/**
 * The name of a database to copy that all files of tests share: the first that
 * needs it makes it on the server, by `fill`, and nobody connects to it.
 */
export function sharedTemplate(
  content: string,
  fill: (client: Client) => Promise<void>,
): Promise<string> {
  const found = shared.get(content) ?? makeShared(`shared_${content}`, fill);
  shared.set(content, found);
  return found;
}

async function makeShared(
  name: string,
  fill: (client: Client) => Promise<void>,
): Promise<string> {
  const admin = await openClient(await testPostgresUrl());
  // Of the files that begin at once, one makes it and the others wait.
  await admin.query("select pg_advisory_lock(hashtext($1))", [name]);
  const { rowCount } = await admin.query(
    "select from pg_database where datname = $1 and datistemplate",
    [name],
  );
  if (rowCount === 0) {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.query(`create database ${name}`);
    const client = await openClient(await testPostgresUrl(name));
    await fill(client);
    await client.end();
    await admin.query(
      `alter database ${name} is_template true allow_connections false`,
    );
  }
  await admin.end();
  return name;
}

/** Connection settings of a URL, read as the pipeline reads them. */
export function settingsOf(url: string): PostgresSettings {
  const { source } = readConfig(
    (name) => name === "SOURCE_URL" ? url : undefined,
    ["source"],
  );
  if (source === undefined) throw new Error("no settings came of the URL");
  return source;
}

/** Opens a connection; an error while it is idle is of no interest. */
export async function openClient(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function startServer(): Promise<
  { server: PostgresServer; folder: string }
> {
  const folder = await Deno.makeTempDir();
  const binDir = Deno.env.get("TEST_POSTGRES_BIN");
  await Deno.chmod(folder, 0o755);
  const server = await startPostgresServer({
    dataDir: join(folder, "data"),
    persistent: false,
    ...(binDir === undefined ? {} : { binDir }),
  });
  return { server, folder };
}

Deno.test.afterAll(async () => {
  if (started === undefined) return;
  const { server, folder } = await started;
  await server.stop();
  await Deno.remove(folder, { recursive: true });
});
