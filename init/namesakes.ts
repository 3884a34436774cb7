import { existsSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { type ContractTable, parseContract } from "../lib/project/contract.ts";
import { readOptional } from "../lib/project/project_sql.ts";
import { inSource, nameInSchema } from "../lib/project/source_names.ts";
import { queryRow } from "../lib/postgres/postgres.ts";
import type { Config } from "../lib/settings/config.ts";
import { foldName } from "../lib/sql/fold_name.ts";
import type { SourceTable } from "./catalogue.ts";
import type { Star } from "./star.ts";

/**
 * Whether the contract in `SQL_DIRECTORY` names a table of this source. That of
 * a newcomer names none: it is still the example's.
 */
export async function isContractOfSource(
  client: pg.Client,
  config: Pick<Config, "sqlDirectory" | "sourceSchema">,
): Promise<boolean> {
  const places = contractIn(config.sqlDirectory)
    .map((table) => inSource(table, config));
  const { found } = await queryRow(
    client,
    `select exists (
      select from unnest($1::text[], $2::text[]) as known (schema, name)
      inner join pg_namespace on nspname = known.schema
      inner join pg_class
        on relnamespace = pg_namespace.oid and relname = known.name
    )::text as found`,
    [places.map(({ schema }) => schema), places.map(({ name }) => name)],
  );
  return found === "true";
}

/**
 * Gives tables that are to be added to the contract in `SQL_DIRECTORY` a name of
 * their own where another table has theirs there, in its schema or in models,
 * so that the models of neither need an edit.
 */
export function besideNamesakes(
  tables: readonly SourceTable[],
  config: Pick<Config, "sqlDirectory" | "sourceSchema">,
): SourceTable[] {
  const known = contractIn(config.sqlDirectory)
    .map((table) => ({ ...table, place: inSource(table, config) }));
  return tables.map((table) => {
    const { schema, name } = table;
    const isShared = known.some((one) =>
      (one.place.schema !== schema || one.place.name !== name) &&
      [one.place.name, one.name].some((taken) =>
        foldName(taken) === foldName(name)
      )
    );
    return isShared ? { ...table, readAs: nameInSchema(schema, name) } : table;
  });
}

/**
 * Says what to do with the calendar of tables that are to be added to
 * `SQL_DIRECTORY`, if that has one: it knows no dates but those of its selects.
 */
export function calendarNotes(
  star: Pick<Star, "models" | "calendar">,
  { sqlDirectory }: Pick<Config, "sqlDirectory">,
): string[] {
  const { models, calendar } = star;
  const path = join(sqlDirectory, "models", `${calendar}.sql`);
  const isNamed = models.some(({ references }) =>
    [...references.values()].includes(calendar)
  );
  return isNamed && existsSync(path)
    ? [
      `${calendar}: where these tables join those of ${sqlDirectory}, add its selects of dates to ${path}, by union`,
    ]
    : [];
}

/** The contract of a folder of SQL; of one that has none, nothing. */
function contractIn(folder: string): ContractTable[] {
  const text = readOptional(join(folder, "source.sql"));
  return text === undefined ? [] : parseContract(text);
}
