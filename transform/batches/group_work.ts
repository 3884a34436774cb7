import {
  type DataFile,
  type IngestionManifest,
  type ProcessedManifest,
} from "../../lib/batches/manifest.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import type { BatchWork } from "./batch_work.ts";

/** Consecutive batches, and the inputs of their transform. */
export interface GroupWork extends BatchWork {
  /** The batches; the last one is `input`, whose number names the files. */
  inputs: readonly IngestionManifest[];
  previous: ProcessedManifest;
  /** The keys of the files written, to remove if it fails. */
  written: string[];
}

/** A model's versions from all batches of a group, in one file. */
export interface GroupedModel {
  file: DataFile;
  /** The hash of its columns. */
  columns: string;
  /** The key by which the file says until when a version holds. */
  holdsUntilBy: readonly string[];
  batches: ReadonlyMap<number, { rows: number; deletes: number }>;
}

/** The content that a group adds to the lake. */
export interface GroupContent {
  models: ReadonlyMap<string, GroupedModel>;
  state: ProcessedManifest["state"];
}

/** The column that numbers a table's rows and deletes within each key. */
export const ROUND = quoteName("row round");

/** The relation with a table's rows and deletes from all batches. */
export function groupedTable(table: string): string {
  return `grouped.${quoteName(table)}`;
}
