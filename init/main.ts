import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type pg from "pg";
import { type ProcessIo, processIo, runCommand } from "../lib/cli/command.ts";
import { ConfigError, messageOf, StageError } from "../lib/errors.ts";
import { inShell } from "../lib/in_shell.ts";
import { inTransaction, query } from "../lib/postgres/postgres.ts";
import type { StageContext } from "../lib/stage.ts";
import { fullName, readCatalogue, readOthers } from "./catalogue.ts";
import { describeServer } from "./describe_server.ts";
import { findInfinite } from "./find_infinite.ts";
import { envText } from "./env_text.ts";
import { modelTexts } from "./model_texts.ts";
import {
  besideNamesakes,
  calendarNotes,
  isContractOfSource,
} from "./namesakes.ts";
import { quarantineTexts } from "./quarantine_texts.ts";
import { planStar, type Star } from "./star.ts";
import { contractText, grantsText } from "./write_contract.ts";

const USAGE =
  `./totesys init --into DIR [--source URL] [--schema S,...] [--tables a,b]

Makes a company's folder of SQL from the catalogue of its source: the contract,
a starter model for each table, the grants that the source's role needs, and an
.env. Nothing is written to the source; of tables with dates, the first 10,000
rows are read, or those of each partition. Prints what it decided and why, what
it left out, and the next command.

  --into DIR      a folder that doesn't exist yet, or is empty
  --source URL    the source, if not in SOURCE_URL; other users of this machine
                  can see it there
  --schema S,...  the schemas to look at; by default all but PostgreSQL's own
  --tables a,b    these tables only; schema.table where several have the name;
                  to be added to the contract in SQL_DIRECTORY, beside tables of
                  their name in other schemas`;
const OPTIONS = {
  into: { type: "string" },
  source: { type: "string" },
  schema: { type: "string" },
  tables: { type: "string" },
} as const;
const ROLE = "totesys_extract";

/** Runs `./totesys init`; gives the exit code. */
export function main(
  args: readonly string[],
  io: ProcessIo = processIo(),
): Promise<number> {
  const url = sourceGiven(args);
  return runCommand(
    {
      name: "init",
      usage: USAGE,
      needs: ["source"],
      options: OPTIONS,
      readsNoSql: true,
      run: async (context, { flags, write }) => {
        const into = String(flags.into ?? "");
        if (into === "") throw new ConfigError(["--into is missing", USAGE]);
        const list = (text: unknown) =>
          typeof text === "string"
            ? text.split(",").map((one) => one.trim())
            : undefined;
        write(
          await makeCompanyFolder(context, {
            into: resolve(into),
            schemas: list(flags.schema),
            tables: list(flags.tables),
          }),
        );
      },
    },
    args,
    {
      ...io,
      env: (name) => name === "SOURCE_URL" && url ? url : io.env(name),
    },
  );
}

/** The flag takes precedence over the environment. */
function sourceGiven(args: readonly string[]): string | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: OPTIONS,
    strict: false,
  });
  return typeof values.source === "string" ? values.source : undefined;
}

/** Makes the folder and describes its contents. */
export async function makeCompanyFolder(
  { config, resources, log }: Pick<
    StageContext,
    "config" | "resources" | "log"
  >,
  options: {
    into: string;
    /** By default all but PostgreSQL's own. */
    schemas?: readonly string[] | undefined;
    /** By default all. */
    tables?: readonly string[] | undefined;
  },
): Promise<string> {
  const { into, tables } = options;
  await checkFree(into);
  if (config.source === undefined) {
    throw new ConfigError(["SOURCE_URL is missing"]);
  }
  await using connection = await resources.connect(config.source, {
    purpose: "init",
  });
  const { client } = connection;
  // Names of types are read as in every run, whatever the role is set to.
  const { schemas, listed, others } = await inTransaction(
    client,
    { readOnly: true },
    async () => {
      const schemas = options.schemas ?? await allSchemas(client);
      return {
        schemas,
        listed: await readCatalogue(client, { schemas, tables }),
        others: tables === undefined ? await readOthers(client, schemas) : [],
      };
    },
  );
  checkFound(listed, { schemas, tables });
  const isAdded = tables !== undefined &&
    await isContractOfSource(client, config);
  const named = isAdded ? besideNamesakes(listed, config) : listed;
  const found = await findInfinite(client, named, { log });
  const star = planStar(found);
  const { line, database } = await describeServer(client, { log });
  const notes = isAdded ? calendarNotes(star, config) : [];
  await writeFolder(into, { star, database, role: ROLE });
  return [
    line,
    "",
    ...describe(star),
    ...notes,
    ...others.map(({ kind, names }) =>
      `left out: ${kind} ${
        names.join(", ")
      }, since nothing shows what changed in them`
    ),
    "",
    ...nextSteps(into),
    "",
  ].join("\n");
}

function nextSteps(into: string): string[] {
  return [
    `${into} is made. Next:`,
    `  psql --file ${
      inShell(join(into, "grants.sql"))
    }  (as an administrator, in the source)`,
    `  fill in ${inShell(join(into, ".env"))} and copy it to .env here`,
    "  ./totesys check",
    "  ./totesys doctor",
    "  ./totesys pipeline",
  ];
}

async function allSchemas(client: pg.Client): Promise<string[]> {
  const rows = await query(
    client,
    `select nspname from pg_namespace
    where nspname !~ '^pg_' and nspname <> 'information_schema'`,
  );
  return rows.map((row) => row.nspname ?? "");
}

/** Throws a `StageError` when there is no such table. */
function checkFound(
  found: readonly { schema: string; name: string }[],
  options: {
    schemas: readonly string[];
    tables: readonly string[] | undefined;
  },
): void {
  const { schemas, tables = [] } = options;
  const missing = tables.filter((table) =>
    !found.some((one) => one.name === table || fullName(one) === table)
  );
  if (found.length > 0 && missing.length === 0) return;
  throw new StageError(
    `Cannot make a folder of SQL: no table ${
      missing.length > 0 ? missing.join(", ") : "at all"
    } in the schemas ${schemas.join(", ")}`,
    {
      subject: "source",
      hint:
        "Views and foreign tables can't be read, since nothing shows what changed in them; see --schema and --tables",
    },
  );
}

async function checkFree(into: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(into)) {
      throw new ConfigError([
        `--into ${into} is not empty, it holds ${name}: name a new folder`,
      ]);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([`--into ${into}: ${messageOf(error)}`]);
  }
}

async function writeFolder(
  into: string,
  options: { star: Star; database: string; role: string },
): Promise<void> {
  const { star } = options;
  const env = envText(into, options);
  await Deno.mkdir(join(into, "models"), { recursive: true });
  const rules = quarantineTexts(star);
  if (rules.size > 0) await Deno.mkdir(join(into, "quarantine"));
  const files = new Map([
    ["source.sql", contractText(star)],
    ["grants.sql", grantsText(star, options)],
    [".env", env],
    ...[...modelTexts(star)].map(([name, text]) =>
      [`models/${name}.sql`, text] as const
    ),
    ...[...rules].map(([name, text]) =>
      [`quarantine/${name}.sql`, text] as const
    ),
  ]);
  for (const [path, text] of files) {
    await Deno.writeTextFile(join(into, path), text, { createNew: true });
  }
}

function describe({ models, skipped }: Star): string[] {
  const width = Math.max(...models.map(({ table }) => fullName(table).length));
  return [
    ...models.map(({ table, name, why }) =>
      `${fullName(table).padEnd(width)}  ${name}: ${why}`
    ),
    ...models.flatMap(({ name, notes }) =>
      notes.map((note) => `${name}: ${note}`)
    ),
    ...models.flatMap(({ table, name, columns }) =>
      columns.filter(({ source }) => source.mayBeInfinite).map((column) =>
        `${
          fullName(table)
        }.${column.source.name}: may be infinite, so it is carried as text${
          column.moment === undefined ? "" : `, and null there in ${name}`
        }`
      )
    ),
    ...models.flatMap(({ name, columns, references }) =>
      columns.filter(({ name: column, source }) =>
        references.has(column) && source.valueType === "numeric"
      ).map(({ name: column }) =>
        `${name}: ${column} refers to ${
          references.get(column)
        } by a numeric as it is written: 1.5 is not 1.50; remove the reference if both occur`
      )
    ),
    ...models.filter(({ table }) => !table.readable).map(({ table }) =>
      `${fullName(table)}: this role may not read it yet; see grants.sql`
    ),
    ...models.filter(({ table }) => table.rowSecurity).map(({ table }) =>
      `${fullName(table)}: row security may hide rows; see grants.sql`
    ),
    ...skipped.map(({ what, why }) => `left out: ${what}, since ${why}`),
  ];
}

if (import.meta.main) Deno.exit(await main(Deno.args));
