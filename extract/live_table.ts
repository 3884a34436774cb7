import type pg from "pg";
import { StageError } from "../lib/errors.ts";
import { query } from "../lib/postgres/postgres.ts";
import { quoteName } from "../lib/sql/quote.ts";
import type { ContractColumn, ContractTable } from "../lib/project/contract.ts";
import { typeSql } from "../lib/project/contract.ts";
import type { ColumnType } from "../lib/project/contract_types.ts";
import { unquotedType } from "../lib/project/ddl_text.ts";
import { inSource, type SourceName } from "../lib/project/source_names.ts";
import {
  type Definition,
  definitionLines,
  readDefinitions,
  wantedTables,
} from "./definitions.ts";
import liveTablesSql from "./live_tables.sql" with { type: "text" };

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

interface CatalogueColumn {
  name: string;
  number: number;
  type: string;
  /** The schema of its type. */
  schema: string;
  baseType: string | null;
  notNull: boolean;
}

interface CatalogueRow {
  name: string;
  kind: string;
  accessMethod: string;
  encoding: string;
  hasChildren: boolean;
  columns: CatalogueColumn[];
  definitions: Definition[];
  uniqueKeys: string[][];
  parts: {
    name: string;
    kind: string;
    oid: string;
    identity: string;
    bytes: number;
    written: number;
    /** A partition's columns whose number is not that of the table's. */
    numbers: Record<string, number> | null;
  }[];
}

const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/;
const ORDINARY = "r";
const PARTITIONED = "p";
const KINDS: Record<string, string> = {
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
};

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
  const definitions = await readDefinitions(client, places);
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
      : differences(table, found);
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

/** The reasons why a live table can't be read as the contract says. */
function differences(table: ContractTable, found: CatalogueRow): string[] {
  const unread = unreadableReason(found);
  if (unread !== undefined) return [unread];
  const messages = table.columns.flatMap((column) =>
    columnDifference(column, { table, found }) ?? []
  );
  const key = [...table.key].sort().join();
  const unique = found.uniqueKeys.some((columns) =>
    [...columns].sort().join() === key
  );
  if (messages.length === 0 && !unique) {
    messages.push(
      `no primary key or unique constraint on (${table.key.join(", ")})`,
    );
  }
  return messages;
}

/** Why the changes of such a table can't be found, whatever its columns are. */
function unreadableReason(found: CatalogueRow): string | undefined {
  if (found.kind !== ORDINARY && found.kind !== PARTITIONED) {
    return `it is ${
      KINDS[found.kind] ?? "not a table"
    }, and its changes can't be found: only ordinary and partitioned tables are read`;
  }
  if (found.hasChildren) {
    return "other tables inherit from it, whose rows would be left out";
  }
  if (found.accessMethod !== "heap") {
    return `its access method is ${found.accessMethod}: only heap has the transaction ids by which changes are found`;
  }
  const foreign = found.parts.find((part) => part.kind !== ORDINARY);
  return foreign && `its partition "${foreign.name}" is not an ordinary table`;
}

function columnDifference(
  column: ContractColumn,
  { table, found }: { table: ContractTable; found: CatalogueRow },
): string | undefined {
  const { name } = column;
  const live = found.columns.find((one) => one.name === name);
  if (live === undefined) {
    const extra = found.columns.map((one) => one.name).filter((name) =>
      !table.columns.some((one) => one.name === name)
    );
    return `column "${name}" is missing` +
      (extra.length === 0
        ? ""
        : ` (renamed? the contract doesn't know ${extra.join(", ")})`);
  }
  if (!fits(live, column)) {
    return `column "${name}" is now ${live.type}, the contract says ${
      column.carriedFrom ?? typeSql(column.type)
    }`;
  }
  const names = found.definitions.find((one) =>
    one.column === name && one.kind === "names"
  );
  if (names !== undefined) {
    return `column "${name}" reads as names of other objects (${names.definition}), and no row shows when they change: leave it out of the contract, or let the source keep it as text or a number`;
  }
  if (live.notNull) return undefined;
  if (table.key.includes(name)) {
    return `column "${name}" of its key may be null, and a key must not be: make it not null`;
  }
  return column.notNull
    ? `column "${name}" may now be null, the contract says not null`
    : undefined;
}

/** Whether every value of the live type is valid in the contract's type. */
function fits(found: CatalogueColumn, column: ContractColumn): boolean {
  const { type: live, schema } = found;
  if (column.carriedFrom !== undefined) {
    // The role's search path decides whether the schema is named.
    const names = [schema, quoteName(schema)].map((name) => `${name}.`);
    const bare = (written: string) => {
      const type = unquotedType(written);
      const prefix = names.find((name) => type.startsWith(name)) ?? "";
      return type.slice(prefix.length);
    };
    return bare(live) === bare(column.carriedFrom);
  }
  const type: ColumnType = column.type;
  switch (type.name) {
    case "text":
      return live === "text" || live.startsWith("character varying");
    case "timestamp":
      return /^timestamp(\(\d\))? without time zone$/.test(live);
    case "timestamptz":
      return /^timestamp(\(\d\))? with time zone$/.test(live);
    case "integer":
      return ["integer", "smallint"].includes(live);
    case "bigint":
      return ["bigint", "integer", "smallint"].includes(live);
    case "numeric": {
      const [, precision, scale] = /^numeric\((\d+),(\d+)\)$/.exec(live) ?? [];
      return Number(scale) === type.scale &&
        Number(precision) <= (type.precision ?? 0);
    }
    default:
      return live === type.name;
  }
}
