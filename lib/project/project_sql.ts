import { basename, join } from "node:path";
import { ConfigError } from "../errors.ts";
import { utf8Text } from "../utf8_text.ts";
import { type ContractTable, parseContract } from "./contract.ts";
import { inReferenceOrder } from "./load_order.ts";
import type { Model } from "./model.ts";
import { readModel } from "./model_header.ts";
import { doubledRules, quarantinedTable } from "./quarantine_file.ts";
import { QUARANTINE } from "./quarantine_model.ts";
import { lacksTable } from "./source_names.ts";
import { FOLDER_HINT, sqlFilesIn } from "./sql_files.ts";
import type { TableHeader } from "./table_header.ts";
import { withoutEnd } from "./tables_read.ts";
import { earlierHashes, transformHash } from "./transform_hash.ts";
import { type DeclaredTables, readDeclaredTables } from "./warehouse_ddl.ts";
import { foldName } from "../sql/fold_name.ts";

/** A named piece of SQL: its file name without `.sql`, and its text. */
export interface SqlFile {
  name: string;
  text: string;
  /** Whether the text was generated, and is in no file. */
  isGenerated?: true;
  /**
   * The hash under which a migration is recorded, whose text had to change:
   * that of its first one, which other versions of the platform know.
   */
  recordedAs?: string;
}

/** A model with its SQL: one select, which more may follow. */
export interface ModelSql extends Model {
  sql: string;
  table: TableHeader;
}

/** The content of the folder `sql/`; nothing else knows the company's data. */
export interface ProjectSql {
  tables: readonly ContractTable[];
  /** In the order in which they are loaded. */
  models: readonly ModelSql[];
  /** By source table: the query that finds rows that can't be read. */
  quarantine: ReadonlyMap<string, string>;
  /** The company's own warehouse migrations, in order. */
  migrations: readonly SqlFile[];
  checks: readonly SqlFile[];
  /** What the dashboard measures; see `readDashboard`. */
  dashboard: readonly SqlFile[];
  /** The text of the dashboard's settings.json, if there is one. */
  dashboardSettings: string | undefined;
  /** A hash of what decides a batch of the lake; see `transformHash`. */
  transformHash: string;
  /** The hashes that earlier versions of the platform had for the same. */
  earlierHashes: readonly string[];
}

/** For commands that don't need the folder. */
export const NO_SQL: ProjectSql = {
  tables: [],
  models: [],
  quarantine: new Map(),
  migrations: [],
  checks: [],
  dashboard: [],
  dashboardSettings: undefined,
  transformHash: "",
  earlierHashes: [],
};

/**
 * Reads a company's folder of SQL. Throws a `ConfigError` if a file is missing
 * or the files don't fit together.
 */
export function readProjectSql(folder: string): ProjectSql {
  const contract = readText(join(folder, "source.sql"));
  const modelFiles = readFolder(join(folder, "models"));
  const quarantine = readFolder(join(folder, "quarantine"));
  const migrations = readFolder(join(folder, "warehouse"));
  const tables = parseContract(contract);
  const declared = readDeclaredTables(migrations);
  const problems: string[] = [];
  const inOrder = asDeclared(
    modelFiles.map((file): ModelSql => {
      const model = readModel(file, { declared, problems });
      return { ...model, reads: asInContract(model, tables), sql: file.text };
    }),
    declared,
  );
  const models = inReferenceOrder(inOrder, problems)
    .map((model) => ({ ...model, sql: withoutEnd(model.sql) }));
  const selects = quarantine.map((file) => ({
    ...asSelect(file),
    name: quarantinedTable(file.name, tables),
  }));
  problems.push(...doubledRules(quarantine.map(({ name }) => name), tables));
  const checks = readFolder(join(folder, "checks")).map(asSelect);
  checkNames({ models, quarantine: selects, checks, tables, problems });
  return {
    tables,
    models,
    quarantine: byName(selects),
    migrations,
    checks,
    dashboard: readFolder(join(folder, "dashboard")),
    dashboardSettings: readOptional(
      join(folder, "dashboard", "settings.json"),
    ),
    transformHash: transformHash({ contract, models, quarantine: selects }),
    // They were of the files as they are.
    earlierHashes: earlierHashes({ contract, models: inOrder, quarantine }),
  };
}

/** A file with a select, which more may follow. */
function asSelect({ name, text }: SqlFile): SqlFile {
  return { name, text: withoutEnd(text) };
}

/** The tables' names in the contract's case: DuckDB ignores case. */
function asInContract(
  { reads }: Model,
  tables: readonly ContractTable[],
): string[] {
  return reads.map((read) =>
    tables.find(({ name }) => foldName(name) === foldName(read))
      ?.name ?? read
  );
}

/** Models in the order of the migrations, then the others, dimensions first. */
function asDeclared(
  models: readonly ModelSql[],
  declared: DeclaredTables,
): ModelSql[] {
  const tables = [...declared.keys()];
  const placeOf = ({ name, kind }: Model) => {
    const place = tables.indexOf(name);
    return place >= 0 ? place : tables.length + (kind === "fact" ? 1 : 0);
  };
  return models.toSorted((one, other) => placeOf(one) - placeOf(other));
}

function checkNames(found: {
  models: readonly Model[];
  quarantine: readonly SqlFile[];
  checks: readonly SqlFile[];
  tables: readonly ContractTable[];
  problems: readonly string[];
}): void {
  const known = found.tables.map((table) => table.name);
  const checkable = [...found.models, QUARANTINE].map(({ name }) => name);
  const problems = [
    ...found.models.length > 0 ? [] : ["sql/models has no model"],
    ...found.problems,
    ...found.models.flatMap((model) =>
      model.reads.filter((table) => !known.includes(table)).map((table) =>
        `The model "${model.name}" reads "${table}", which ${
          lacksTable(table, found.tables)
        }`
      )
    ),
    ...found.quarantine.filter((file) => !known.includes(file.name))
      .map((file) =>
        // Of no table, so it is the file's own name.
        `sql/quarantine/${file.name}.sql: the table "${file.name}" ${
          lacksTable(file.name, found.tables)
        }`
      ),
    ...found.checks.filter((check) =>
      checkedModel(check, checkable) === undefined
    )
      .map(({ name }) =>
        `sql/checks/${name}.sql belongs to no model: its name must begin with one, as in <model>__<rule>.sql`
      ),
    ...found.checks.filter((check) => severityOf(check) === undefined)
      .map(({ name }) =>
        `sql/checks/${name}.sql: its header says neither \`-- Severity: error\` nor \`-- Severity: warning\``
      ),
  ];
  if (problems.length > 0) throw new ConfigError(problems, FOLDER_HINT);
}

/** What a broken check does, as its header says; undefined if it doesn't. */
export function severityOf(
  { text }: SqlFile,
): "error" | "warning" | undefined {
  const [, severity] = /^-- Severity: (error|warning)$/m.exec(text) ?? [];
  return severity === "error" || severity === "warning" ? severity : undefined;
}

/**
 * The model that a check belongs to: its file is `<model>__<rule>.sql`. Of a
 * model `fact_sale` and a model `fact_sale__eu` it is the longer name.
 */
export function checkedModel(
  { name }: Pick<SqlFile, "name">,
  models: readonly string[],
): string | undefined {
  return models.filter((model) => name.startsWith(`${model}__`))
    .toSorted((one, other) => other.length - one.length)[0];
}

function byName(files: SqlFile[]): Map<string, string> {
  return new Map(files.map((file) => [file.name, file.text]));
}

/**
 * The SQL files of a folder and of the folders in it, by their names: a hash of
 * the SQL depends on this order.
 */
function readFolder(folder: string): SqlFile[] {
  const paths = sqlFilesIn(folder).sort((one, other) => {
    const [first, second] = [basename(one), basename(other)];
    return first < second || (first === second && one < other) ? -1 : 1;
  });
  const problems = paths.flatMap((path, index) => {
    const before = paths[index - 1] ?? "";
    return basename(before) === basename(path)
      ? [`${path}: ${before} has the same name`]
      : [];
  });
  if (problems.length > 0) throw new ConfigError(problems, FOLDER_HINT);
  return paths.map((path) => ({
    name: basename(path, ".sql"),
    text: readText(path),
  }));
}

function readText(path: string): string {
  const text = readOptional(path);
  if (text !== undefined) return text;
  throw new ConfigError([`Cannot read the project's SQL: no file ${path}`]);
}

/**
 * Reads a file of the folder, if it is there; how a checkout ends its lines must
 * not change any hash. Throws a `ConfigError` if it is not in UTF-8.
 */
export function readOptional(path: string): string | undefined {
  try {
    return utf8Text(Deno.readFileSync(path))
      .replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) return undefined;
    if (!(error instanceof TypeError)) throw error;
    throw new ConfigError([
      `Cannot read the project's SQL: ${path} is ${error.message}: save it as UTF-8`,
    ]);
  }
}
