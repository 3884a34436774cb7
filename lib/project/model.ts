/**
 * How a model's rows follow from the source:
 * - `row`: at most one row for each row of one source table; reads
 *   `changed.<table>`. A row that it leaves out is none of it any more.
 * - `join`: reads `current.<table>`; what differs between the result before and
 *   after the batch is emitted.
 * - `set`: rows are only ever added; those whose key is not yet known are
 *   emitted. Reads `changed.<table>`.
 */
export type Derivation = "row" | "join" | "set";

/** What headers and people call these. */
export const MAINTAINED: Readonly<Record<Derivation, string>> = {
  row: "by row",
  join: "as a join",
  set: "append only",
};

/** A model, as its file says it: see `readModel`. */
export interface Model {
  /** File name without `.sql`, and the name in the lake and the warehouse. */
  name: string;
  /** Facts are kept as history; dimensions hold one row for each key. */
  kind: "fact" | "dimension";
  derivation: Derivation;
  /**
   * Columns that identify a row. For a `row` model they are the columns of its
   * source table's key, under whatever names: a delete there is a delete here.
   */
  key: readonly string[];
  /** Source tables that the SQL reads, in the order in which it names them. */
  reads: readonly string[];
  /** Columns that hold a time of day as text, to become TIME for the reader. */
  times: readonly string[];
  /** A fact's own serial number of its versions, in the warehouse. */
  recordId?: string;
}
