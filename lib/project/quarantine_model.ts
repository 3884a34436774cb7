import type { Model } from "./model.ts";
import type { TableHeader } from "./table_header.ts";

/**
 * The rows that no model can read, kept like a fact: a version for each time
 * that a row was set aside, closed once the row is repaired or deleted.
 */
export const QUARANTINE: Model = {
  name: "quarantine",
  kind: "fact",
  derivation: "join",
  key: ["table_name", "row_key"],
  reads: [],
  times: [],
  recordId: "quarantine_record_id",
};

/** The columns of the quarantine, all of them text. */
export const QUARANTINE_COLUMNS = [
  "table_name",
  "row_key",
  "reason",
  "source_row",
] as const;

/** Describes its table, as a model's header would. */
const QUARANTINE_HEADER: TableHeader = {
  meaning:
    "Rows of the source that were set aside, and why; open until mended.",
  meanings: new Map([
    ["table_name", "The table of the source."],
    ["row_key", "The key of the row in that table, as text."],
    ["source_row", "The row as it was read, as text."],
  ]),
  references: new Map(),
  notNull: QUARANTINE_COLUMNS,
};

/** The quarantine with its header, from which its table is derived. */
export const QUARANTINE_TABLE: Model & { table: TableHeader } = {
  ...QUARANTINE,
  table: QUARANTINE_HEADER,
};
