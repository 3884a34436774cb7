/** The most bytes that a row may take as CSV, its newline included (16 MiB). */
export const CSV_ROW_BYTES_MAX = 16 * 1024 * 1024;
/** The column of extract's files that says why a row must be set aside. */
export const FAULT_COLUMN = "why unreadable";
/** The byte that ends a row. */
export const NEWLINE = 10;
