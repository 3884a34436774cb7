/**
 * How a model's rows follow from the source:
 * - `row`: at most one row for each row of one source table; reads
 *   `changed.<table>`. A row that it leaves out no longer belongs to it.
 * - `join`: reads `current.<table>`; the differences between the results before
 *   and after the batch are emitted.
 * - `set`: rows are only ever added; those whose key is not yet known are
 *   emitted. Reads `changed.<table>`.
 */
export type Derivation = "row" | "join" | "set";

/** What headers and messages call these. */
export const MAINTAINED: Readonly<Record<Derivation, string>> = {
  row: "by row",
  join: "as a join",
  set: "append only",
};

/** A model, as its file describes it: see `readModel`. */
export interface Model {
  /** The file's name without `.sql`; its name in the lake and the warehouse. */
  name: string;
  /** Facts are kept as history; dimensions hold one row for each key. */
  kind: "fact" | "dimension";
  derivation: Derivation;
  /**
   * Columns that identify a row. For a `row` model they are the key columns of
   * its source table, under any names: a delete there is a delete here.
   */
  key: readonly string[];
  /** Source tables that the SQL reads, in the order of its text. */
  reads: readonly string[];
  /** Columns that hold a time of day as text, shown to readers as TIME. */
  times: readonly string[];
  /** The column of the serial number of a fact's versions in the warehouse. */
  recordId?: string;
}
