import {
  type ContractColumn,
  type ContractTable,
  typeSql,
} from "../lib/project/contract.ts";
import type { ColumnType } from "../lib/project/contract_types.ts";
import { unquotedType } from "../lib/project/ddl_text.ts";
import { quoteName } from "../lib/sql/quote.ts";
import type { Definition } from "./definitions.ts";

const ORDINARY = "r";
/** `relkind` of a partitioned table. */
export const PARTITIONED = "p";
const KINDS: Record<string, string> = {
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
};

/** A column of a table, as the source's catalogue has it. */
export interface CatalogueColumn {
  name: string;
  number: number;
  type: string;
  /** The schema of its type. */
  schema: string;
  baseType: string | null;
  notNull: boolean;
}

/** A table, as the source's catalogue has it. */
export interface CatalogueRow {
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

/** The reasons why a live table can't be read as the contract says. */
export function schemaDrift(
  table: ContractTable,
  found: CatalogueRow,
): string[] {
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
      !table.columns.some((one) => one.name === name) &&
      !table.leftOut?.includes(name)
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
