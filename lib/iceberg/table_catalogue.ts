import { type TableMetadata, versionOf } from "./table_metadata.ts";

/** A version of a table's metadata, and where it is. */
export interface ShownMetadata {
  metadata: TableMetadata;
  uri: string;
}

/**
 * A catalogue that names Iceberg tables' newest metadata to engines. What a
 * table is, its folder says: the catalogue follows it.
 */
export interface TableCatalogue {
  /** Which catalogue it is. */
  readonly id: string;
  /**
   * Lets a table show this version of its metadata, unless it shows a later one.
   * Throws a `StageError` if the catalogue refuses it or can't be reached.
   */
  show(name: string, shown: ShownMetadata): Promise<void>;
  close(): void;
}

/** What a catalogue says of a table: where its metadata is, and its id. */
export interface NamedTable {
  location: string;
  uuid: string | undefined;
}

/**
 * Whether a catalogue names this version or a later one of the same table: one
 * that was removed and made again begins with version 1.
 */
export function isAsFar(
  { location, uuid }: NamedTable,
  { metadata, uri }: ShownMetadata,
): boolean {
  return uuid === metadata["table-uuid"] &&
    folderOf(location) === folderOf(uri) &&
    (versionOf(location) ?? 0) >= (versionOf(uri) ?? 0);
}

/** Whether a table is this one: a lake that was moved keeps its tables' ids. */
export function isSameTable(
  { location, uuid }: NamedTable,
  { metadata, uri }: ShownMetadata,
): boolean {
  return uuid === metadata["table-uuid"] ||
    folderOf(location) === folderOf(uri);
}

/** The folder that a metadata file is in. */
export function folderOf(uri: string): string {
  return uri.slice(0, uri.lastIndexOf("/"));
}
