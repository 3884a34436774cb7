import { NEWLINE } from "./csv_row.ts";

const QUOTE = 34;

/** Counts CSV records in bytes that come in pieces, without the header. */
export class CsvRowCounter {
  #quoted = false;
  #lines = 0;
  /** Bytes of the record that hasn't ended yet. */
  #open = 0;
  #longest = 0;
  #broken = false;

  /** Whether no text had a line break so far. */
  get rowsAreLines(): boolean {
    return !this.#broken;
  }

  /** Rows so far. */
  get rows(): number {
    return Math.max(0, this.#lines - 1);
  }

  /** Bytes of the longest record so far. */
  get rowBytesMax(): number {
    return Math.max(this.#longest, this.#open);
  }

  /** Counts a piece and returns how many rows ended in it. */
  add(piece: Uint8Array): number {
    const before = this.rows;
    let quoted = this.#quoted;
    let lines = 0;
    let start = -this.#open;
    for (let index = 0; index < piece.length; index++) {
      const byte = piece[index];
      if (byte === QUOTE) quoted = !quoted;
      else if (byte !== NEWLINE) continue;
      else if (quoted) this.#broken = true;
      else {
        lines++;
        this.#longest = Math.max(this.#longest, index + 1 - start);
        start = index + 1;
      }
    }
    this.#open = piece.length - start;
    this.#quoted = quoted;
    this.#lines += lines;
    return this.rows - before;
  }
}
