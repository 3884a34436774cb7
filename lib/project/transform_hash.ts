import { sha256Hex } from "../zone/checksum.ts";
import { CARRIED, READ_AS } from "./contract.ts";
import type { Model } from "./model.ts";
import type { ModelSql, SqlFile } from "./project_sql.ts";
import { withoutComments } from "./tables_read.ts";

/** The SQL that a batch of the lake depends on. */
export interface TransformSql {
  contract: string;
  models: readonly ModelSql[];
  quarantine: readonly SqlFile[];
}

/**
 * Hashes of today's SQL, each with the hash of the text that it had in an
 * earlier version: a lake that carries one goes on with the other.
 */
const EARLIER: Readonly<Record<string, string>> = {
  // Totesys, whose headers now say what sql/warehouse used to declare.
  "ef9a598268ffd0a9ac7ab14373be2a2842ced08fd5311902d2428f7034c9c18d":
    "4fb77768880f972b415a7a8a53567183d283da9f35277aeee4996f6ce071c23a",
};

/**
 * A hash of the SQL that decides the rows of a batch. Comments, white space and
 * the order in which models are loaded don't count.
 */
export function transformHash(sql: TransformSql): string {
  const models = sql.models
    .toSorted((one, other) => one.name < other.name ? -1 : 1)
    .map(textOf);
  return sha256Hex(JSON.stringify([
    withoutComments(
      sql.contract.replace(CARRIED, "'carried from $1'")
        .replace(READ_AS, "$1read as $2"),
    ),
    models,
    sql.quarantine.map(({ name, text }) => [name, withoutComments(text)]),
  ]));
}

/** A hash of what decides the rows of one model, apart from its tables. */
export function queryHash(model: ModelSql): string {
  return sha256Hex(JSON.stringify(textOf(model)));
}

function textOf(model: ModelSql): [Model, string] {
  return [fieldsOf(model), withoutComments(model.sql)];
}

/** The hashes that earlier versions had for the same SQL. */
export function earlierHashes(sql: TransformSql): string[] {
  const { contract, models, quarantine } = sql;
  const files = models.map(({ name, sql: text }) => ({ name, text }))
    .toSorted((one, other) => one.name < other.name ? -1 : 1);
  const known = EARLIER[transformHash(sql)];
  return [
    sha256Hex(
      JSON.stringify([contract, models.map(fieldsOf), files, quarantine]),
    ),
    ...known === undefined ? [] : [known],
  ];
}

/** A model without its text and its table. */
function fieldsOf(
  { name, kind, derivation, key, reads, times, recordId }: ModelSql,
): Model {
  return {
    name,
    kind,
    derivation,
    key,
    reads,
    times,
    ...recordId === undefined ? {} : { recordId },
  };
}
