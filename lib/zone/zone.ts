import { isAbsolute } from "node:path";
import { ConfigError } from "../errors.ts";
import { DirectoryZone } from "./directory_zone.ts";
import { S3Zone } from "./s3_zone.ts";

/** A small file, read whole. */
export interface StoredFile {
  bytes: Uint8Array<ArrayBuffer>;
  /** Names this content of this key; two contents never share one. */
  etag: string;
}

/** What is known of a file without reading it. */
export interface FileHead {
  bytes: number;
  /** The same that `read` gives. */
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

/** What a write left that has not ended: its file is not there yet. */
export interface UnfinishedFile {
  name: string;
  /** When it began, by the store's clock. */
  begun: Date;
  remove(): Promise<void>;
}

/**
 * Where batches live. Keys are checked by `checkKey`. What the store refuses
 * is thrown as a `StageError` whose subject is the zone's URL.
 */
export interface Zone {
  /** `s3://bucket/prefix` or an absolute directory, no slash at the end. */
  readonly url: string;
  /** Whether `list` reads nothing of what is before the key to begin after. */
  readonly listsAfter: boolean;
  /** Where DuckDB finds a file. */
  locate(key: string): string;
  /** A small file whole; undefined when there is none. */
  read(key: string): Promise<StoredFile | undefined>;
  /** Some bytes of a file; fewer when it ends before. */
  readRange(key: string, range: ByteRange): Promise<Uint8Array>;
  /** Size, etag and time without reading; undefined when there is none. */
  head(key: string): Promise<FileHead | undefined>;
  /** A file's content in order. */
  stream(key: string): Promise<AsyncIterable<Uint8Array>>;
  /** Puts a file if there is none, whole or not at all: false when there is. */
  create(key: string, content: Uint8Array): Promise<boolean>;
  /** Puts a file of up to 100 MB in place of any other, whole or not at all. */
  put(
    key: string,
    content: Uint8Array,
    options?: PutOptions,
  ): Promise<boolean>;
  /**
   * Streams a new file in constant memory and resolves to its bytes. When the
   * content fails or the signal aborts, nothing of it stays.
   */
  write(
    key: string,
    content: AsyncIterable<Uint8Array>,
    options?: WriteOptions,
  ): Promise<number>;
  /** The files whose keys begin so, in order of their keys. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ListedFile>;
  /** Removes a file if it is there. */
  remove(key: string): Promise<void>;
  /** Writes that have not ended, of processes at work and of dead ones. */
  unfinished(): AsyncIterable<UnfinishedFile>;
  /** Removes folders that have held nothing since before a moment. */
  removeEmptyFolders(before: Date): Promise<void>;
  /** What the store's clock shows, to the second. */
  now(): Promise<Date>;
  /** Lets go of open connections. */
  close(): void;
}

/** A part of a file. */
export interface ByteRange {
  offset: number;
  /** At least one byte. */
  length: number;
}

/** How `put` treats the file that is there. */
export interface PutOptions {
  /** Put only if the file still has this etag; `put` is false otherwise. */
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

/** How to reach S3; what is left out comes from the AWS SDK's own chain. */
export interface S3Settings {
  region: string;
  /** Another server than AWS, such as `http://127.0.0.1:9000`. */
  endpoint?: string | undefined;
  accessKeyId?: string | undefined;
  secretAccessKey?: string | undefined;
  sessionToken?: string | undefined;
  /** A file with the CA of the server, beside those that the system trusts. */
  caFile?: string | undefined;
  /** The bucket in the path, not in the host; true where an endpoint is set. */
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
