import { join } from "node:path";
import { askSecret } from "../../lib/cli/ask.ts";
import { describeError } from "../../lib/describe_error.ts";
import { platformDirectory } from "../../lib/platform_directory.ts";
import { urlOf } from "../../lib/settings/secrets.ts";
import { askAws, aws } from "./aws_cli.ts";
import { type Database, databasesOf, makeRoles } from "./make_roles.ts";
import { type Options, say } from "./options.ts";

const TOKEN_BYTES = 24;

const project = platformDirectory();

/** A warehouse in Amazon RDS, as the output of this name has it. */
export interface RdsInstance {
  host: string;
  port: number;
  database: string;
  /** Of the administrator's user and password. */
  secret_id: string;
}

/** Where secrets are, and who makes their values. */
interface FillOptions {
  options: Options;
  region: string;
  rds: RdsInstance | null | undefined;
}

/** Gives each secret without a value one; returns what is left to do. */
export async function fillSecrets(
  options: Options,
  { region, rds }: Pick<FillOptions, "region" | "rds">,
): Promise<string[]> {
  say(7, "Make the databases' roles, and give the functions their secrets");
  const open: string[] = [];
  const sql = Deno.env.get("SQL_DIRECTORY")?.trim() || join(project, "sql");
  for (const database of await databasesOf(sql, project)) {
    open.push(...await fillOfDatabase(database, { options, region, rds }));
  }
  const token = idOf("dashboard", options);
  if (await isEmpty(token, region)) {
    const value = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
    await put(token, { value, region });
    console.log(
      `aws secretsmanager get-secret-value --secret-id ${token} --query SecretString shows the dashboard's token`,
    );
  }
  const iceberg = idOf("iceberg", options);
  if (await isEmpty(iceberg, region)) {
    open.push(
      `give ${iceberg} a value, the Iceberg REST catalogue's token or client-id:client-secret, by aws secretsmanager put-secret-value (docs/deploy.md)`,
    );
  }
  return open;
}

/** Makes the roles of a database whose secrets have no values yet. */
async function fillOfDatabase(
  database: Database,
  { options, region, rds }: FillOptions,
): Promise<string[]> {
  const { name, file, roles } = database;
  const secrets: string[] = [];
  for (const secret of Object.keys(roles)) {
    if (await isEmpty(idOf(secret, options), region)) secrets.push(secret);
  }
  if (secrets.length === 0) {
    console.log(`The ${name}'s secrets have values`);
    return [];
  }
  try {
    const url = rds && name === "warehouse" && options.files[name] === undefined
      ? await adminUrl(rds, region)
      : await readUrl(database, options);
    const values = url === "" ? new Map() : await makeRoles(database, {
      url,
      secrets,
    });
    for (const [secret, value] of values) {
      await put(idOf(secret, options), { value, region });
    }
    if (values.has(secrets[0]) && values.size >= secrets.length) return [];
  } catch (error) {
    console.error(describeError(error, { command: "deploy", json: false }));
  }
  const ids = secrets.map((secret) => idOf(secret, options)).join(" and ");
  return [
    `give ${ids} a value: with --${name} FILE, or, where the database is out of reach from here, by ${file} and aws secretsmanager put-secret-value (docs/deploy.md)`,
  ];
}

function idOf(secret: string, { environment }: Options): string {
  return `totesys-${environment}/${secret}`;
}

/** Gives a secret a value, which is in no argument of a process. */
async function put(
  id: string,
  { value, region }: { value: string; region: string },
): Promise<void> {
  await aws([
    ...["secretsmanager", "put-secret-value", "--region", region],
    ...["--secret-id", id, "--secret-string", "file:///dev/stdin"],
  ], value);
  console.log(`${id} has a value now`);
}

/** Whether there is such a secret, and it has no value yet. */
async function isEmpty(id: string, region: string): Promise<boolean> {
  const { text, error } = await askAws([
    ...["secretsmanager", "describe-secret", "--region", region],
    ...["--secret-id", id],
  ]);
  if (error?.includes("ResourceNotFound")) return false;
  if (error !== undefined) throw new Error(`${id}: ${error}`);
  const stages = Object.values(JSON.parse(text).VersionIdsToStages ?? {});
  return !stages.flat().includes("AWSCURRENT");
}

/** The URL of the administrator whose password RDS keeps in a secret. */
async function adminUrl(rds: RdsInstance, region: string): Promise<string> {
  console.log(`Read the administrator's password: ${rds.secret_id}`);
  const answer = await aws([
    ...["secretsmanager", "get-secret-value", "--region", region],
    ...["--secret-id", rds.secret_id],
  ]);
  const { SecretString } = JSON.parse(answer);
  const { host, port, database: dbname } = rds;
  const url = urlOf({ ...JSON.parse(SecretString), host, port, dbname });
  if (url !== undefined) return url;
  throw new Error(`${rds.secret_id} has no username and password`);
}

/** The URL of an administrator, or of the role itself; empty: not now. */
async function readUrl(
  { name, roles }: Database,
  { files, yes }: Options,
): Promise<string> {
  const file = files[name];
  if (file !== undefined) return (await Deno.readTextFile(file)).trim();
  if (yes) return "";
  return askSecret(
    `URL of the ${name}, as an administrator who makes ${
      Object.values(roles).filter((role) => role !== "").join(" and ") ||
      "its role"
    } (Enter: later):`,
  );
}
