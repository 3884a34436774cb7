import { join } from "node:path";
import { sha256Hex } from "./checksum.ts";
import { type ContractTable, parseContract } from "./contract.ts";
import { ConfigError } from "./errors.ts";
import type { Model, ModelDeclaration } from "./model.ts";
import { tablesRead } from "./tables_read.ts";

/** A named piece of SQL: its file name without `.sql`, and its text. */
export interface SqlFile {
  name: string;
  text: string;
}

/** A model with its SQL: one select. */
export interface ModelSql extends Model {
  sql: string;
}

/** All that the folder `sql/` says; nothing else knows the company's data. */
export interface ProjectSql {
  tables: readonly ContractTable[];
  /** In the order in which they are loaded. */
  models: readonly ModelSql[];
  /** For some source tables: the query for the rows that can't be read. */
  quarantine: ReadonlyMap<string, string>;
  /** Warehouse migrations in order. */
  migrations: readonly SqlFile[];
  checks: readonly SqlFile[];
  /** Of what a batch of the lake depends on: contract, models, quarantine. */
  transformHash: string;
}

/**
 * Reads the folder `sql/`, whose models the list describes. Throws a
 * `ConfigError` when the folder, the list and the contract don't fit.
 */
export function readProjectSql(
  folder: string,
  list: readonly ModelDeclaration[],
): ProjectSql {
  const contract = readText(join(folder, "source.sql"));
  const modelFiles = readFolder(join(folder, "models"));
  const quarantine = readFolder(join(folder, "quarantine"));
  const tables = parseContract(contract);
  const texts = byName(modelFiles);
  const models = list.map((model): ModelSql => {
    const text = texts.get(model.name) ?? "";
    return {
      ...withReads(model, tablesRead(text, schemasOf(model))),
      sql: text,
    };
  });
  checkNames({ models, modelFiles, quarantine, tables });
  return {
    tables,
    models,
    quarantine: byName(quarantine),
    migrations: readFolder(join(folder, "warehouse")),
    checks: readFolder(join(folder, "checks")),
    transformHash: sha256Hex(
      JSON.stringify([
        contract,
        models.map(({ sql: _, ...model }) => model),
        modelFiles,
        quarantine,
      ]),
    ),
  };
}

/** A join reads tables as they stand, others what a batch changed in them. */
function schemasOf({ derivation }: ModelDeclaration): string[] {
  return [derivation === "join" ? "current" : "changed"];
}

/** In the order of fields in which models have always been hashed. */
function withReads(
  { name, kind, derivation, key, times, ...rest }: ModelDeclaration,
  reads: readonly string[],
): Model {
  return { name, kind, derivation, key, reads, times, ...rest };
}

function checkNames(found: {
  models: readonly Model[];
  modelFiles: readonly SqlFile[];
  quarantine: readonly SqlFile[];
  tables: readonly ContractTable[];
}): void {
  const listed = found.models.map((model) => model.name);
  const filed = found.modelFiles.map((file) => file.name);
  const known = found.tables.map((table) => table.name);
  const problems = [
    ...listed.filter((name) => !filed.includes(name))
      .map((name) => `The model "${name}" has no file sql/models/${name}.sql`),
    ...filed.filter((name) => !listed.includes(name))
      .map((name) => `sql/models/${name}.sql is in no list of models`),
    ...found.models.flatMap((model) =>
      model.reads.filter((table) => !known.includes(table)).map((table) =>
        `The model "${model.name}" reads "${table}", which is not in the contract`
      )
    ),
    ...found.quarantine.filter((file) => !known.includes(file.name))
      .map((file) =>
        `sql/quarantine/${file.name}.sql is of no table in the contract`
      ),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
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
