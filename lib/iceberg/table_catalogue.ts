import type { TableMetadata } from "./table_metadata.ts";

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
