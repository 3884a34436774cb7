import { isAbsolute } from "node:path";
import { ConfigError } from "../errors.ts";
import { DirectoryZone } from "./directory_zone.ts";
import { S3Zone } from "./s3_zone.ts";

/** How many requests to a zone run side by side. */
export const REQUESTS_AT_ONCE = 16;

/** A small file, read whole. */
export interface StoredFile {
  bytes: Uint8Array<ArrayBuffer>;
  /** Identifies this content of this key; no other content shares it. */
  etag: string;
}

/** What is known of a file without reading it. */
export interface FileHead {
  bytes: number;
  /** The same as from `read`. */
  etag: string;
  /** By the store's clock. */
  modified: Date;
}

/** A file as a listing shows it. */
export interface ListedFile {
  key: string;
  bytes: number;
  modified: Date;
}

/** A write that has not ended: its file does not exist yet. */
export interface UnfinishedFile {
  name: string;
  /** When the write began, by the store's clock. */
  begun: Date;
  remove(): Promise<void>;
}

/**
 * Where batches are stored. Keys are checked by `checkZoneKey`. Errors of the store
 * are thrown as a `StageError` whose subject is the zone's URL.
 */
export interface Zone {
  /** `s3://bucket/prefix` or an absolute directory, without a final slash. */
  readonly url: string;
  /** Whether `list` reads nothing before the key that it starts after. */
  readonly listsAfter: boolean;
  /** The path by which DuckDB finds a file. */
  locate(key: string): string;
  /** Reads a small file whole; undefined if it doesn't exist. */
  read(key: string): Promise<StoredFile | undefined>;
  /** Reads some bytes of a file; fewer if it ends earlier. */
  readRange(key: string, range: ByteRange): Promise<Uint8Array>;
  /** Size, etag and time of a file; undefined if it doesn't exist. */
  head(key: string): Promise<FileHead | undefined>;
  /** Streams a file's content, in order. */
  stream(key: string): Promise<AsyncIterable<Uint8Array>>;
  /** Creates a file, whole or not at all; false if it exists. */
  create(key: string, content: Uint8Array): Promise<boolean>;
  /** Puts a file of up to 100 MB in place of any other, whole or not at all. */
  put(
    key: string,
    content: Uint8Array,
    options?: PutOptions,
  ): Promise<boolean>;
  /**
   * Streams a new file in constant memory and returns its size in bytes. If the
   * content fails or the signal aborts, nothing of it stays.
   */
  write(
    key: string,
    content: AsyncIterable<Uint8Array>,
    options?: WriteOptions,
  ): Promise<number>;
  /** Lists the files whose keys have this prefix, in order of their keys. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ListedFile>;
  /** Removes a file if it exists. */
  remove(key: string): Promise<void>;
  /** Writes that have not ended, of running processes and of dead ones. */
  unfinished(): AsyncIterable<UnfinishedFile>;
  /** Removes folders that have been empty since before a moment. */
  removeEmptyFolders(before: Date): Promise<void>;
  /** Reads the store's clock, to the second. */
  now(): Promise<Date>;
  /** Closes open connections. */
  close(): void;
}

/** A part of a file. */
export interface ByteRange {
  offset: number;
  /** At least one byte. */
  length: number;
}

/** How `put` treats a file that exists. */
export interface PutOptions {
  /** Put only if the file still has this etag; if not, `put` is false. */
  ifMatch?: string | undefined;
}

/** Where `list` begins. */
export interface ListOptions {
  /** This key and those before it are left out. */
  after?: string;
}

/** How `write` may be ended early. */
export interface WriteOptions {
  signal?: AbortSignal | undefined;
}

/** How to reach S3; the AWS SDK's own chain supplies what is left out. */
export interface S3Settings {
  region: string;
  /** A server other than AWS, such as `http://127.0.0.1:9000`. */
  endpoint?: string | undefined;
  accessKeyId?: string | undefined;
  secretAccessKey?: string | undefined;
  sessionToken?: string | undefined;
  /** A file with the server's CA, in addition to those the system trusts. */
  caFile?: string | undefined;
  /** The bucket is in the path, not in the host; true if an endpoint is set. */
  forcePathStyle?: boolean | undefined;
}

/** What opening a zone may need. */
export interface ZoneOptions {
  s3: S3Settings | undefined;
}

/** Opens the zone at `s3://bucket/prefix` or an absolute directory. */
export function openZone(url: string, options: ZoneOptions): Zone {
  if (isAbsolute(url)) return new DirectoryZone(url);
  if (!/^s3:\/\/[a-z0-9][a-z0-9.-]+(\/|$)/.test(url)) {
    throw new ConfigError([
      `Cannot open the zone "${url}": it is neither s3://bucket/prefix nor an absolute directory`,
    ]);
  }
  if (options.s3 === undefined) {
    throw new ConfigError([
      `Cannot open the zone ${url}: no S3 settings were given`,
    ]);
  }
  return new S3Zone(url, options.s3);
}
