import { join } from "node:path";
import { ConfigError } from "../errors.ts";
import { type ContractTable, parseContract } from "./contract.ts";
import { inReferenceOrder } from "./load_order.ts";
import type { Model } from "./model.ts";
import { readModel } from "./model_header.ts";
import { QUARANTINE } from "./quarantine_model.ts";
import type { TableHeader } from "./table_header.ts";
import { earlierHashes, transformHash } from "./transform_hash.ts";
import { type DeclaredTables, readDeclaredTables } from "./warehouse_ddl.ts";

/** A named piece of SQL: its file name without `.sql`, and its text. */
export interface SqlFile {
  name: string;
  text: string;
  /** Whether no file has it: the text was made. */
  isGenerated?: true;
}

/** A model with its SQL: one select. */
export interface ModelSql extends Model {
  sql: string;
  table: TableHeader;
}

/** All that the folder `sql/` says; nothing else knows the company's data. */
export interface ProjectSql {
  tables: readonly ContractTable[];
  /** In the order in which they are loaded. */
  models: readonly ModelSql[];
  /** For some source tables: the query for the rows that can't be read. */
  quarantine: ReadonlyMap<string, string>;
  /** The company's own migrations of the warehouse, in order. */
  migrations: readonly SqlFile[];
  checks: readonly SqlFile[];
  /** Of what a batch of the lake depends on: contract, models, quarantine. */
  transformHash: string;
  /** What versions before called the same. */
  earlierHashes: readonly string[];
}

/** Of a command that does without. */
export const NO_SQL: ProjectSql = {
  tables: [],
  models: [],
  quarantine: new Map(),
  migrations: [],
  checks: [],
  transformHash: "",
  earlierHashes: [],
};

/**
 * Reads a company's folder of SQL. Throws a `ConfigError` when a file is missing
 * or they don't fit each other.
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
  const models = inReferenceOrder(inOrder, problems);
  const hashed = { contract, models: inOrder, quarantine };
  const checks = readFolder(join(folder, "checks"));
  checkNames({ models, quarantine, checks, tables, problems });
  return {
    tables,
    models,
    quarantine: byName(quarantine),
    migrations,
    checks,
    transformHash: transformHash(hashed),
    earlierHashes: earlierHashes(hashed),
  };
}

/** DuckDB takes names that differ by case only for one. */
function asInContract(
  { reads }: Model,
  tables: readonly ContractTable[],
): string[] {
  return reads.map((read) =>
    tables.find(({ name }) => name.toLowerCase() === read.toLowerCase())
      ?.name ?? read
  );
}

/** As the warehouse's migrations make their tables. Of others, dimensions first. */
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
    ...found.problems,
    ...found.models.flatMap((model) =>
      model.reads.filter((table) => !known.includes(table)).map((table) =>
        `The model "${model.name}" reads "${table}", which is not in the contract`
      )
    ),
    ...found.quarantine.filter((file) => !known.includes(file.name))
      .map((file) =>
        `sql/quarantine/${file.name}.sql is of no table in the contract`
      ),
    ...found.checks.filter((check) => !checkable.includes(checkedModel(check)))
      .map(({ name }) =>
        `sql/checks/${name}.sql is of no model: its name begins with one, as in <model>__<rule>.sql`
      ),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
}

/** The model a check is of: its file is `<model>__<rule>.sql`. */
export function checkedModel(check: SqlFile): string {
  return check.name.split("__")[0] ?? "";
}

function byName(files: SqlFile[]): Map<string, string> {
  return new Map(files.map((file) => [file.name, file.text]));
}

function readFolder(folder: string): SqlFile[] {
  try {
    return [...Deno.readDirSync(folder)]
      .map((entry) => entry.name)
      .filter((name) => name.endsWith(".sql"))
      .sort()
      .map((name) => ({
        name: name.slice(0, -".sql".length),
        text: readText(join(folder, name)),
      }));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** How a checkout ends its lines changes nothing: neither hash nor meaning. */
function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path)
      .replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ConfigError([`Cannot read the project's SQL: no file ${path}`]);
  }
}
