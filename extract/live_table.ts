import type pg from "pg";
import { StageError } from "../lib/errors.ts";
import { query } from "../lib/postgres/postgres.ts";
import { quoteName } from "../lib/sql/quote.ts";
import type { ContractTable } from "../lib/project/contract.ts";
import { inSource, type SourceName } from "../lib/project/source_names.ts";
import {
  type Definition,
  definitionLines,
  readDefinitions,
  wantedTables,
} from "./definitions.ts";
import liveTablesSql from "./live_tables.sql" with { type: "text" };
import { type CatalogueRow, PARTITIONED, schemaDrift } from "./schema_drift.ts";

/** A source table whose live catalogue entry matches the contract. */
export interface LiveTable {
  contract: ContractTable;
  source: SourceName;
  /** Its name in a FROM clause: quoted, with `only` if it isn't partitioned. */
  from: string;
  /**
   * It changes if the table is replaced or rewritten, or if another column
   * takes the name of one, which no row's transaction id would show.
   */
  identity: string;
  /** Definitions that decide how its values are printed, one a line. */
  definitions: string[];
  /** The tables that hold its rows: itself, or its partitions. */
  parts: { oid: string; bytes: number }[];
  /**
   * How many rows were ever written to it, by the server's statistics: if this
   * has not changed, most likely nothing has.
   */
  written: string;
  /** Columns that the source has beyond the contract, as it would have them. */
  extraColumns: string[];
  /**
   * The built-in types of its columns, for domains those they are based on;
   * columns of other types have no entry.
   */
  baseTypes: ReadonlyMap<string, string>;
  /** Its database's encoding. */
  encoding: string;
}

const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/;

/**
 * Compares the contract with the live catalogue. Throws one `StageError` that
 * names every difference; columns beyond the contract are only reported.
 */
export async function readLiveTables(
  client: pg.Client,
  options: { tables: readonly ContractTable[]; sourceSchema: string },
): Promise<LiveTable[]> {
  const { tables } = options;
  const places = new Map(
    tables.map((table) => [table.name, inSource(table, options)]),
  );
  const rows = await query(client, liveTablesSql, wantedTables(places));
  const definitions = await readDefinitions(client, places, {
    expressions: true,
  });
  const catalogue = new Map(rows.map((row) => {
    const found = parseRow(row, definitions.get(row.name ?? "") ?? []);
    return [found.name, found];
  }));
  const problems: { table: string; message: string }[] = [];
  const live = tables.flatMap((table) => {
    const found = catalogue.get(table.name);
    const source = inSource(table, options);
    const messages = found === undefined
      ? [`there is no such table in the schema "${source.schema}"`]
      : schemaDrift(table, found);
    for (const message of messages) {
      problems.push({
        table: table.name,
        message: `Cannot read "${table.name}": ${message}`,
      });
    }
    return found === undefined ? [] : [toLiveTable(table, found, source)];
  });
  const [first] = problems;
  if (first !== undefined) {
    throw new StageError(
      problems.map((problem) => problem.message).join("\n"),
      {
        subject: first.table,
        hint:
          "Change the source back, or change sql/source.sql and the models to match it",
      },
    );
  }
  return live;
}

function parseRow(
  row: Record<string, string | null>,
  definitions: Definition[],
): CatalogueRow {
  return {
    name: row.name ?? "",
    kind: row.kind ?? "",
    accessMethod: row.access_method ?? "",
    encoding: row.encoding ?? "",
    hasChildren: row.has_children === "true",
    columns: JSON.parse(row.columns ?? "[]"),
    definitions,
    uniqueKeys: JSON.parse(row.unique_keys ?? "[]"),
    parts: JSON.parse(row.parts ?? "[]"),
  };
}

function toLiveTable(
  contract: ContractTable,
  found: CatalogueRow,
  source: SourceName,
): LiveTable {
  const name = `${quoteName(source.schema)}.${quoteName(source.name)}`;
  const known = new Set(contract.columns.map((column) => column.name));
  const numbers = contract.columns.map(({ name: column }) =>
    found.columns.find((live) => live.name === column)?.number
  );
  return {
    contract,
    source,
    from: found.kind === PARTITIONED ? name : `only ${name}`,
    identity: [
      ...found.parts.map((part) =>
        [
          part.identity,
          ...contract.columns.flatMap(({ name: column }, index) => {
            const number = part.numbers?.[column];
            return number === undefined ? [] : [`${index}=${number}`];
          }),
        ].join(" ")
      ),
      numbers.join("-"),
    ].join(","),
    definitions: definitionLines(found.definitions, known),
    parts: found.parts.map(({ oid, bytes }) => ({ oid, bytes })),
    written: String(found.parts.reduce((sum, part) => sum + part.written, 0)),
    extraColumns: found.columns.filter(({ name: column }) =>
      !known.has(column) && !contract.leftOut?.includes(column)
    ).map(({ name: column, type, notNull }) =>
      `${PLAIN_NAME.test(column) ? column : quoteName(column)} ${type}${
        notNull ? " not null" : ""
      }`
    ),
    encoding: found.encoding,
    baseTypes: new Map(
      found.columns.flatMap(({ name: column, baseType }) =>
        baseType === null ? [] : [[column, baseType]]
      ),
    ),
  };
}
