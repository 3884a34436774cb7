import type { Model } from "./model.ts";

/**
 * The rows that no model can read, kept like a fact: a row for each time that
 * one was set aside, closed when it was repaired or deleted.
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

/** The columns of the quarantine, which all are text. */
export const QUARANTINE_COLUMNS = [
  "table_name",
  "row_key",
  "reason",
  "source_row",
] as const;
