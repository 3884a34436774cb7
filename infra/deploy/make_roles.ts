import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { join } from "node:path";
import { ConfigError } from "../../lib/errors.ts";
import { connect } from "../../lib/postgres/connect.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import { NAME, plainName } from "../../lib/project/ddl_text.ts";
import { withoutComments } from "../../lib/project/tables_read.ts";
import { readPostgresUrl } from "../../lib/settings/connection_url.ts";

/** A database that the functions reach, and what they are there. */
export interface Database {
  name: "source" | "warehouse";
  /** The SQL that makes its roles. */
  file: string;
  /** The login that each secret is about. */
  roles: Readonly<Record<string, string>>;
}

const CREATE_ROLE = new RegExp(
  String.raw`\bcreate\s+(?:role|user)(?!\s+mapping\b)\s+(${NAME})([^;]*)`,
  "giu",
);
/** The role of a company whose file says nothing else. */
const USUAL_ROLE = "totesys_extract";
const PASSWORD_BYTES = 24;
const SALT_BYTES = 16;
/** As PostgreSQL's scram_iterations. */
const ITERATIONS = 4096;

/**
 * The databases: the role in the source is made and named by this folder of
 * SQL, those in the warehouse by the project.
 */
export async function databasesOf(
  sqlDirectory: string,
  project: string,
): Promise<Database[]> {
  const grants = join(sqlDirectory, "grants.sql");
  return [
    {
      name: "source",
      file: grants,
      roles: { source: roleMadeBy(await readText(grants) ?? "") ?? "" },
    },
    {
      name: "warehouse",
      file: join(project, "load", "warehouse_roles.sql"),
      roles: { warehouse: "totesys_loader", analyst: "totesys_analyst" },
    },
  ];
}

/**
 * Makes a database's roles, gives the logins of these secrets new passwords,
 * and returns the secrets' values. The URL is an administrator's; one of such a
 * login makes nothing and is that secret's value. The server gets a password's
 * verifier only, as from psql's `\password`. Throws a `ConfigError` if the URL
 * or the file that makes the roles can't be read.
 */
export async function makeRoles(
  { name, file, roles }: Database,
  options: { url: string; secrets: readonly string[] },
): Promise<Map<string, string>> {
  const url = parse(options.url, name);
  const problems: string[] = [];
  const settings = readPostgresUrl(url.href, {
    name: `The URL of the ${name}`,
    read: () => undefined,
    problems,
  });
  if (settings === undefined || problems.length > 0) {
    throw new ConfigError(problems);
  }
  const sql = await readText(file);
  if (sql === undefined) {
    throw new ConfigError([
      `No file ${file}: write it as in examples/northwind/sql`,
    ]);
  }
  if (Object.values(roles).includes("")) {
    throw new ConfigError([
      `${file} does not say which role the pipeline has: let it create one login, as in examples/northwind/sql`,
    ]);
  }
  await using connection = await connect(settings, { purpose: "deploy" });
  const { client } = connection;
  const own = Object.entries(roles)
    .find(([, role]) => role === settings.user)?.[0];
  if (own !== undefined) return new Map([[own, secretOf(url)]]);
  await client.query(sql);
  const values = new Map<string, string>();
  for (const secret of options.secrets) {
    const role = roles[secret] ?? "";
    const password = randomBytes(PASSWORD_BYTES).toString("base64url");
    await client.query(
      `alter role ${quoteName(role)} password ${quoteText(verifier(password))}`,
    );
    const login = new URL(url);
    login.username = role;
    login.password = password;
    values.set(secret, secretOf(login));
  }
  return values;
}

/**
 * The role that a file of SQL creates: the usual one, or the only one, or of
 * several the only login; undefined if there is no such.
 */
function roleMadeBy(sql: string): string | undefined {
  const made = [...withoutComments(sql).matchAll(CREATE_ROLE)].map(
    ([, name = "", options = ""]) => ({
      name: plainName(name),
      isLogin: /\blogin\b/i.test(options),
    }),
  );
  const logins = made.filter(({ isLogin }) => isLogin);
  for (const some of [made, logins]) {
    const names = new Set(some.map(({ name }) => name));
    if (names.has(USUAL_ROLE)) return USUAL_ROLE;
    if (names.size === 1) return [...names][0];
  }
  return undefined;
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return undefined;
  }
}

function parse(text: string, name: string): URL {
  if (URL.canParse(text)) return new URL(text);
  throw new ConfigError([
    `The URL of the ${name} is malformed: postgres://user:password@host:port/database is expected`,
  ]);
}

/** A secret's value: the URL, with the certificates in place of their file. */
function secretOf(given: URL): string {
  const url = new URL(given);
  const file = url.searchParams.get("sslrootcert");
  if (file === null) return url.href;
  url.searchParams.delete("sslrootcert");
  return JSON.stringify({ url: url.href, ca: Deno.readTextFileSync(file) });
}

/** What PostgreSQL stores of a password; RFC 5803. */
function verifier(password: string): string {
  const salt = randomBytes(SALT_BYTES);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, "sha256");
  const hmac = (text: string) =>
    createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(hmac("Client Key")).digest();
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${base64(salt)}$${base64(stored)}:${
    base64(hmac("Server Key"))
  }`;
}
