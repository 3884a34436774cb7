import { StageError } from "../errors.ts";
import { sha256Hex } from "../zone/checksum.ts";

/** A file that a manifest lists; what no manifest lists does not exist. */
export interface DataFile {
  key: string;
  bytes: number;
  rows: number;
  sha256: string;
}

/** What the manifests of both zones hold. */
export interface Manifest {
  format: 1;
  stage: "extract" | "transform";
  /** Dense, from 1. */
  batch: number;
  runId: string;
  /** One for the life of a lake: the run that made its first batch. */
  lakeId: string;
  /** ISO 8601, UTC, microseconds: the source's clock at the snapshot. */
  snapshotTime: string;
  /** By the clock of the machine that ran the stage; for people. */
  committedAt: string;
  engine: Record<string, string>;
}

/** The commit of a batch of the ingestion zone. */
export interface IngestionManifest extends Manifest {
  stage: "extract";
  source: SourceState;
  tables: Record<string, IngestedTable>;
}

/** Where the source stood at the snapshot. */
export interface SourceState {
  /** Of the cluster and, in it, of the database. */
  databaseId: string;
  /** Databases that were the source before, the latest last. */
  earlier: string[];
  timeline: number;
  /**
   * The xmin watermark, under its first name: `pg_snapshot_xmin`, 64 bits. What
   * is below it has been shipped.
   */
  fence: string;
  /** Snapshot time of the batch that first had this watermark. */
  fenceSince: string;
  /** `pg_snapshot_xmax`, 64 bits. */
  nextId: string;
  /** Writers at or above the watermark that have been shipped, `[first, last]`. */
  shipped: [string, string][];
}

/** One source table in a batch of the ingestion zone. */
export interface IngestedTable {
  contractHash: string;
  /** The columns of its files, in order. */
  columns: string[];
  /** Oid and file node of each of its parts, and its columns' numbers. */
  identity: string;
  /**
   * What its values are printed by besides: enum labels, attributes of types,
   * expressions. Of manifests made before this was kept, none.
   */
  definitions?: string[];
  /** Rows in the source at the snapshot. */
  sourceRows: number;
  /** Why the whole table was read, if it was. */
  fullRead?: string;
  /**
   * The contract lacks it: nothing of it was read, and the rest is as the last
   * batch that read it left it, so that its return finds what was deleted.
   */
  outOfContract?: true;
  rows: DataFile[];
  deletes: DataFile[];
  /** The canary, under its first name. */
  witness?: Canary;
  /** The index of its keys, under its first name. */
  digest: KeyIndex;
}

/** A newest row of a table, to notice a source that was set back. */
export interface Canary {
  /** The key's columns as text. */
  key: string[];
  /** The id that wrote it, 64 bits. */
  writer: string;
}

/** The keys of a table by buckets. */
export interface KeyIndex {
  /** The key's columns with their types: of other ones, nothing compares. */
  key: string;
  /** Files that hold the keys, one bucket a line. */
  files: DataFile[];
  buckets: KeyBucket[];
}

/**
 * A bucket: its id, rows, hash, where its keys stand in which file, and the
 * checksum of their bytes there.
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

/** The commit of a batch of the processed zone. */
export interface ProcessedManifest extends Manifest {
  stage: "transform";
  /** Checksum of the ingestion manifest it was made from. */
  inputSha256: string;
  /** When that was committed; of manifests made before this was kept, none. */
  extractedAt?: string;
  /** What it holds, rows with deletes; also missing in those. */
  extracted?: { rows: number; bytes: number };
  /** When transform began the batch; also missing in those. */
  startedAt?: string;
  /** Of the contract, the models and the quarantine queries. */
  transformHash: string;
  /**
   * Each model's key, also of those that are gone, whose versions stay; of
   * manifests made before this was kept, none.
   */
  keys?: Record<string, readonly string[]>;
  /**
   * The first batch that this SQL made after batches of other SQL, and whether
   * a person accepted what it takes away; of manifests made before this was
   * kept, none.
   */
  sql?: { since: number; isAccepted: boolean };
  /** Of that first batch: by model, what its columns are in DuckDB. */
  given?: Record<string, Record<string, string>>;
  models: Record<string, ProcessedModel>;
  /** What the next batch needs: a name's rows at the end of this one. */
  state: Record<string, DataFile>;
  /** Rows in quarantine at the end of this batch. */
  quarantined: number;
  /**
   * Joined models that are as the batch before left them, because they broke a
   * rule which a later batch mends: that one compares with what is published.
   */
  postponed?: string[];
  /**
   * The files that hold every version up to this batch; of manifests made
   * before this was kept, none. See lib/batches/live_files.ts.
   */
  live?: LiveFiles;
  /** The batches that were made together with it, if any were. */
  group?: BatchGroup;
}

/**
 * Batches that one pass made: their files are among the live files of each, and
 * hold the versions of all. Whoever finds some of them committed and the others
 * not commits those as they are listed.
 */
export interface BatchGroup {
  /** The last of them. */
  to: number;
  /** A file of the zone with the manifests of all; its rows are their number. */
  manifests: DataFile;
}

/** One model in a batch of the processed zone. */
export interface ProcessedModel {
  /** None where the versions lie in a file of several batches. */
  files: DataFile[];
  /** How many versions those are; without it, what the files hold. */
  rows?: number;
  /** How many of the rows are deletes. */
  deletes: number;
  /**
   * A short hash of its files' columns, names and types; of manifests made
   * before this was kept, none.
   */
  columns?: string;
}

/**
 * A list of live files: what the checkpoint lists, less `removed`, plus
 * `added`.
 */
export interface LiveFiles {
  /** A file of the zone that lists others; its rows are their number. */
  checkpoint?: DataFile;
  added: LiveFile[];
  /** Keys. */
  removed: string[];
  /** How many versions of each model the files hold together. */
  rows: Record<string, number>;
}

/** A file with a model's versions of some batches: no other one has them. */
export interface LiveFile extends DataFile {
  model: string;
  /** The batches whose versions it holds, the last one included. */
  from: number;
  to: number;
  /** How often it was merged: 0 is a batch's own file. */
  level: number;
  /** A short hash of its columns, where it is known; see `holdsUntilBy`. */
  columns?: string;
  /**
   * The key by which each of its versions says until when it holds, in two
   * columns that the hash leaves out: transform/holds_until.ts. Of files that
   * say nothing, none.
   */
  holdsUntilBy?: readonly string[];
}

/** How many rows and deletes a batch holds of a source table. */
export function rowsOf({ rows, deletes }: IngestedTable): number {
  return [...rows, ...deletes].reduce((sum, file) => sum + file.rows, 0);
}

/** How many versions a batch brought of a model. */
export function versionsOf({ rows, files }: ProcessedModel): number {
  return rows ?? files.reduce((sum, file) => sum + file.rows, 0);
}

/** The same of all models together. */
export function allVersionsOf(
  { models }: Pick<ProcessedManifest, "models">,
): number {
  return Object.values(models)
    .reduce((sum, model) => sum + versionsOf(model), 0);
}

/** Writes a manifest as bytes that carry their own checksum. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const body = JSON.stringify(manifest);
  return new TextEncoder().encode(
    `{"sha256":"${sha256Hex(body)}","manifest":${body}}\n`,
  );
}

/** The checksum by which other manifests and the ledger name this one. */
export function manifestSha256(manifest: Manifest): string {
  return sha256Hex(JSON.stringify(manifest));
}

/**
 * Reads a manifest and checks it against its checksum, its number and its
 * stage; throws a `StageError` with the file as its subject.
 */
export function decodeManifest<M extends Manifest>(
  bytes: Uint8Array,
  expected: { file: string; stage: M["stage"]; batch: number },
): M {
  const damaged = (found: string, cause?: unknown) =>
    new StageError(`Cannot read the manifest ${expected.file}: ${found}`, {
      subject: expected.file,
      hint: "Restore the file from the bucket's versions or a copy of the zone",
      cause,
    });
  let sealed: { sha256: string; manifest: M };
  try {
    sealed = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw damaged("it is no JSON (truncated?)", error);
  }
  const { manifest } = sealed;
  if (
    typeof manifest !== "object" || manifest === null ||
    manifestSha256(manifest) !== sealed.sha256
  ) throw damaged("its content does not match its checksum");
  if (manifest.format !== 1) {
    throw damaged(`it has the form ${manifest.format}, this version reads 1`);
  }
  if (manifest.stage !== expected.stage) {
    throw damaged(
      `it is of ${manifest.stage}, not of ${expected.stage}: ` +
        "are two zones set to the same place?",
    );
  }
  if (manifest.batch !== expected.batch) {
    throw damaged(`it is of batch ${manifest.batch}`);
  }
  return manifest;
}
