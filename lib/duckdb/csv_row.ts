/** A row may take so many bytes as CSV, its line's end with them (16 MiB). */
export const CSV_ROW_BYTES_MAX = 16 * 1024 * 1024;
/** The column of their files that says why a row is to be set aside; no contract can name one so. */
export const FAULT_COLUMN = "why unreadable";
