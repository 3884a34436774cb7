import { ConfigError } from "../errors.ts";
import type { ContractTable } from "./contract.ts";
import { foldName } from "../sql/fold_name.ts";

/** A table's place in the source. */
export interface SourceName {
  schema: string;
  name: string;
}

/**
 * The names of the source's tables in the lake, in models and in messages:
 * their own, but `schema__table` for one whose schema is known where several
 * have its name, and what the contract says that a table is read as. Case
 * doesn't count, since DuckDB ignores it.
 */
export function tableNames(
  tables: readonly Pick<ContractTable, "schema" | "name" | "readAs">[],
): string[] {
  const unnamed = tables.filter(({ readAs }) => readAs === undefined);
  return tables.map(({ schema, name, readAs }) => {
    if (readAs !== undefined) return readAs;
    const alike = unnamed.filter((one) =>
      foldName(one.name) === foldName(name)
    );
    return alike.length === 1 || schema === undefined
      ? name
      : nameInSchema(schema, name);
  });
}

/** The name of a table where several schemas have one of its name. */
export function nameInSchema(schema: string, name: string): string {
  return `${schema}__${name}`;
}

/** The contract's tables, with the names that tell them apart. */
export function namedApart(
  tables: readonly ContractTable[],
): ContractTable[] {
  const names = tableNames(tables);
  return tables.map((table, index) => {
    const name = names[index] ?? table.name;
    return name === table.name
      ? table
      : { ...table, name, sourceName: table.name };
  });
}

/** Problems of a contract by whose names models would read several tables. */
export function sharedNames(tables: readonly ContractTable[]): string[] {
  const byName = Map.groupBy(tables, ({ name }) => foldName(name));
  return [...byName].filter(([, alike]) => alike.length > 1)
    .map(([name, alike]) => {
      const places = new Set(alike.map(placeOf));
      return places.size === alike.length
        ? `Contract: models would read ${
          [...places].join(" and ")
        } by the one name "${name}": give one of them another by a line "-- read as: name", the first in its brackets`
        : `Contract: the table "${name}" is declared twice`;
    });
}

/** A table's name in the source, as far as the contract says it. */
function placeOf({ schema, name, sourceName = name }: ContractTable): string {
  return schema === undefined ? sourceName : `${schema}.${sourceName}`;
}

/** The source's schema that holds a table, and the table's name there. */
export function inSource(
  { schema, name, sourceName }: ContractTable,
  config: { sourceSchema: string },
): SourceName {
  return { schema: schema ?? config.sourceSchema, name: sourceName ?? name };
}

/** Throws a `ConfigError` if the contract has a table of the source twice. */
export function checkSourceNames(
  tables: readonly ContractTable[],
  config: { sourceSchema: string },
): void {
  const places = tables.map((table) => {
    const { schema, name } = inSource(table, config);
    return `${schema}.${name}`;
  });
  const twice = places.filter((place, index) => places.indexOf(place) < index);
  if (twice.length === 0) return;
  throw new ConfigError(
    [...new Set(twice)].map((place) =>
      `Contract: the table ${place} is declared twice, once without its schema, which is SOURCE_SCHEMA (${config.sourceSchema})`
    ),
    "Take one of the two out of sql/source.sql",
  );
}

/** Says that the contract lacks a table of a name, and what it has instead. */
export function lacksTable(
  name: string,
  tables: readonly ContractTable[],
): string {
  const others = tables.filter(({ sourceName }) =>
    sourceName !== undefined && foldName(sourceName) === foldName(name)
  );
  const names = others.map((other) => `"${other.name}"`).join(" and ");
  switch (others.length) {
    case 0:
      return "is not in sql/source.sql";
    case 1:
      return `is not in sql/source.sql, where the table of that name is read as ${names}`;
    default:
      return `is not in sql/source.sql: several schemas have such a table, so they are named ${names}`;
  }
}
