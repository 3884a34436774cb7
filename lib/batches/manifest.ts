// The stored format of both zones' manifests.

import { sum } from "./sum.ts";

/** A file that a manifest lists; a file that none lists does not count. */
export interface DataFile {
  key: string;
  bytes: number;
  rows: number;
  sha256: string;
  /**
   * Of CSV: no text in it has a line break. Files of earlier versions don't
   * say so.
   */
  rowsAreLines?: true;
  /** Of a model's versions, where their key begins with an integer. */
  keyRange?: KeyRange;
}

/** The least and the greatest value of a key's first column in a file. */
export interface KeyRange {
  column: string;
  /** Whole numbers as text: they may have more digits than a number holds. */
  least: string;
  greatest: string;
}

/** The fields that the manifests of both zones have. */
export interface Manifest {
  format: 1;
  stage: "extract" | "transform";
  /** From 1, without gaps. */
  batch: number;
  runId: string;
  /** The run that made the lake's first batch; it stays for the lake's life. */
  lakeId: string;
  /** ISO 8601, UTC, microseconds: the source's clock at the snapshot. */
  snapshotTime: string;
  /** By the clock of the machine that ran the stage; for people only. */
  committedAt: string;
  engine: Record<string, string>;
}

/** Commits a batch of the ingestion zone. */
export interface IngestionManifest extends Manifest {
  stage: "extract";
  source: SourceState;
  tables: Record<string, IngestedTable>;
}

/** Where the source stood at the snapshot. */
export interface SourceState {
  /** The ids of the cluster and of the database in it. */
  databaseId: string;
  /** Databases that were the source before, the latest last. */
  earlier: string[];
  timeline: number;
  /**
   * The xmin watermark, under its original name: `pg_snapshot_xmin`, 64 bits.
   * Everything below it has been shipped.
   */
  fence: string;
  /** Snapshot time of the batch that first had this watermark. */
  fenceSince: string;
  /** `pg_snapshot_xmax`, 64 bits. */
  nextId: string;
  /** Ranges `[first, last]` of shipped writers at or above the watermark. */
  shipped: [string, string][];
}

/** One source table in a batch of the ingestion zone. */
export interface IngestedTable {
  contractHash: string;
  /** The columns of its files, in order. */
  columns: string[];
  /** The oid and file node of each of its parts, and its columns' numbers. */
  identity: string;
  /**
   * Definitions that decide how its values are printed: enum labels, attributes
   * of types, expressions. Missing in manifests made before this was kept.
   */
  definitions?: string[];
  /** Rows in the source at the snapshot. */
  sourceRows: number;
  /**
   * How many rows were ever written to it, by the server's statistics: a hint.
   * Missing in manifests made before this was kept.
   */
  written?: string;
  /** Why the whole table was read, if it was. */
  fullRead?: string;
  /**
   * The contract lacks it: it was not read, and its other fields are those of
   * the last batch that read it, so that deletes are found when it returns.
   */
  outOfContract?: true;
  rows: DataFile[];
  deletes: DataFile[];
  /** The canary, under its original name. */
  witness?: Canary;
  /** The index of its keys, under its original name. */
  digest: KeyIndex;
}

/** A newest row of a table, which shows whether the source was set back. */
export interface Canary {
  /** The key's columns as text. */
  key: string[];
  /** The id that wrote it, 64 bits. */
  writer: string;
}

/** The keys of a table by buckets. */
export interface KeyIndex {
  /** The key's columns and types; keys of another declaration don't compare. */
  key: string;
  /** Files that hold the keys, one bucket a line. */
  files: DataFile[];
  buckets: KeyBucket[];
}

/**
 * A bucket: its id, rows and hash, which file has its keys and where, and the
 * checksum of those bytes.
 */
export type KeyBucket = [
  id: string,
  rows: number,
  hash: string,
  file: number,
  offset: number,
  bytes: number,
  checksum: string,
];

/** Commits a batch of the processed zone. */
export interface ProcessedManifest extends Manifest {
  stage: "transform";
  /** Checksum of the ingestion manifest it was made from. */
  inputSha256: string;
  /** When that was committed; missing in manifests from before it was kept. */
  extractedAt?: string;
  /** Its rows, deletes included, and bytes; also missing in those. */
  extracted?: { rows: number; bytes: number };
  /** When transform began the batch; also missing in those. */
  startedAt?: string;
  /** A hash of the contract, the models and the quarantine queries. */
  transformHash: string;
  /**
   * Each model's key, including removed models, whose versions stay. Missing in
   * manifests made before this was kept.
   */
  keys?: Record<string, readonly string[]>;
  /**
   * The first batch that this SQL made after batches of other SQL, or of a
   * version that did not say as much of it; whether a person accepted what it
   * takes away; and whether that batch has its parts. Of manifests made before
   * this was kept, none.
   */
  sql?: { since: number; isAccepted: boolean; inParts?: true };
  /** In the manifest of the first batch: by model, what its columns are in DuckDB. */
  given?: Record<string, Record<string, string>>;
  /**
   * In the manifest of the first batch: by model, a hash of its query; missing in manifests
   * made before this was kept.
   */
  queries?: Record<string, string>;
  /**
   * In the manifest of the first batch: its SQL in parts, which show whether the next change
   * only adds to it; missing in manifests made before this was kept.
   */
  parts?: SqlParts;
  models: Record<string, ProcessedModel>;
  /** Rows, by name, that the next batch needs, as of the end of this one. */
  state: Record<string, DataFile>;
  /** Rows in quarantine at the end of this batch. */
  quarantined: number;
  /**
   * Joined models left as in the batch before, because they broke a rule that a
   * later batch repairs: that batch compares with what is published.
   */
  postponed?: string[];
  /**
   * The files that hold every version up to this batch; missing in manifests
   * made before this was kept. See lib/batches/live_files.ts.
   */
  live?: LiveFiles;
  /** The batches that were made together with it, if any. */
  group?: BatchGroup;
}

/**
 * Batches that were made in one pass: each lists the files, which hold the
 * versions of all. A run that finds only some of them committed commits the
 * others as they are listed here.
 */
export interface BatchGroup {
  /** The last batch of the group. */
  to: number;
  /** A file with the manifests of all; `rows` is their number. */
  manifests: DataFile;
}

/** The contract, the models and the quarantine, part by part. */
export interface SqlParts {
  /** By table: its key, and each column's declaration. */
  contract: Record<string, { key: string; columns: Record<string, string> }>;
  /** By table: a hash of its rule. */
  quarantine: Record<string, string>;
  /** By model. */
  queries: Record<string, QueryParts>;
}

/** A query, part by part. */
export interface QueryParts {
  /** A hash of all but the columns in `columns`. */
  rest: string;
  /**
   * By select, the main one (an empty name) and CTEs: a hash of each named
   * column's expression.
   */
  columns: Record<string, Record<string, string>>;
}

/** One model in a batch of the processed zone. */
export interface ProcessedModel {
  /** Empty if the versions are in a file of several batches. */
  files: DataFile[];
  /** How many versions it has; if missing, those of the files. */
  rows?: number;
  /** How many of the rows are deletes. */
  deletes: number;
  /**
   * A short hash of its files' columns, names and types; missing in manifests
   * made before this was kept.
   */
  columns?: string;
}

/**
 * A list of live files: those of the checkpoint, without `removed`, and
 * `added`.
 */
export interface LiveFiles {
  /** A file of the zone that lists others; `rows` is their number. */
  checkpoint?: DataFile;
  added: LiveFile[];
  /** Keys. */
  removed: string[];
  /** How many versions of each model the files hold together. */
  rows: Record<string, number>;
}

/** A file with a model's versions of some batches, which no other file has. */
export interface LiveFile extends DataFile {
  model: string;
  /** The batches whose versions it holds, the last one included. */
  from: number;
  to: number;
  /** How often it was merged: 0 is a batch's own file. */
  level: number;
  /** A short hash of its columns, if known; see `holdsUntilBy`. */
  columns?: string;
  /**
   * The key by which the file says until when each of its versions holds, in
   * two columns that the hash leaves out: transform/files/holds_until_sql.ts.
   * Missing for files that don't say it.
   */
  holdsUntilBy?: readonly string[];
}

/** How many rows and deletes of a source table a batch holds. */
export function rowsOf({ rows, deletes }: IngestedTable): number {
  return sum([...rows, ...deletes], "rows");
}

/** How many versions of a model a batch added. */
export function versionsOf({ rows, files }: ProcessedModel): number {
  return rows ?? sum(files, "rows");
}

/** How many versions of all models a batch added. */
export function allVersionsOf(
  { models }: Pick<ProcessedManifest, "models">,
): number {
  return Object.values(models)
    .reduce((sum, model) => sum + versionsOf(model), 0);
}
