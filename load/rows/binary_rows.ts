import type { BinaryColumn } from "./binary_columns.ts";
import { PIECE_BYTES } from "../../lib/postgres/copy.ts";

/** A chunk of DuckDB's result: a vector for each value of `select`. */
export interface Chunk {
  rowCount: number;
  getColumnVector(index: number): Vector;
}

interface Vector {
  getItem(row: number): unknown;
}

/** "PGCOPY", five bytes that a careless transfer changes, and no options. */
const HEADER = [
  80,
  71,
  67,
  79,
  80,
  89,
  10,
  255,
  13,
  10,
  0,
  ...Array(8).fill(0),
];
const NULL_LENGTH = -1;
const END_OF_ROWS = -1;
const NEGATIVE = 0x4000;
/** A numeric's digits are of base 10,000. */
const BASE = 10_000;
const BASE_DIGITS = 4;
/** So many hold the whole part of any number that `numeric` is given. */
const WHOLE_DIGITS = 4;

/**
 * Rows in COPY's binary format, from chunks of a query of the columns'
 * `select`; see
 * https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4.
 */
export async function* binaryRows(
  chunks: AsyncIterable<Chunk>,
  columns: readonly BinaryColumn[],
): AsyncGenerator<Uint8Array> {
  const piece = new Piece();
  piece.bytes(HEADER);
  for await (const chunk of chunks) {
    const vectors = columns
      .flatMap(({ form }) => form === "int8" ? [form, form] : [form])
      .map((_, index) => chunk.getColumnVector(index));
    const { rowCount } = chunk;
    for (let row = 0; row < rowCount; row++) {
      piece.row(columns, vectors, row);
      if (piece.isFull) yield piece.take();
    }
  }
  piece.int2(END_OF_ROWS);
  yield piece.take();
}

/** Bytes that are gathered. */
class Piece {
  #bytes = new Uint8Array(PIECE_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  get isFull(): boolean {
    return this.#used >= PIECE_BYTES / 2;
  }

  /** What was gathered; its memory is reused from then on. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#used);
    this.#used = 0;
    return taken;
  }

  bytes(bytes: readonly number[]): void {
    this.#bytes.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  int2(value: number): void {
    this.#view.setInt16(this.#used, value);
    this.#used += 2;
  }

  int4(value: number): void {
    this.#view.setInt32(this.#used, value);
    this.#used += 4;
  }

  row(
    columns: readonly BinaryColumn[],
    vectors: readonly Vector[],
    row: number,
  ): void {
    this.int2(columns.length);
    let at = 0;
    for (const { form, scale } of columns) {
      const value = vectors[at++]?.getItem(row);
      const low = form === "int8" ? vectors[at++]?.getItem(row) : undefined;
      if (value === null) this.int4(NULL_LENGTH);
      else if (form === "numeric") this.#numeric(value as number, scale);
      else this.#integer(form, value as number, low as number);
    }
  }

  #integer(
    form: "int2" | "int4" | "int8" | "bool",
    value: number,
    low: number,
  ): void {
    switch (form) {
      case "int4":
        this.int4(4);
        return this.int4(value);
      case "int8":
        this.int4(8);
        this.int4(value);
        return this.int4(low);
      case "int2":
        this.int4(2);
        return this.int2(value);
      case "bool":
        this.int4(1);
        this.#bytes[this.#used++] = value;
    }
  }

  /** Writes a whole number of the last of `scale` decimal places. */
  #numeric(value: number, scale: number): void {
    const places = Math.ceil(scale / BASE_DIGITS);
    const scaled = Math.abs(value);
    const whole = Math.floor(scaled / 10 ** scale);
    const fraction = (scaled - whole * 10 ** scale) *
      10 ** (places * BASE_DIGITS - scale);
    const digits = WHOLE_DIGITS + places;
    this.int4(8 + 2 * digits);
    this.int2(digits);
    this.int2(WHOLE_DIGITS - 1);
    this.int2(value < 0 ? NEGATIVE : 0);
    this.int2(scale);
    this.#digits(whole, WHOLE_DIGITS);
    this.#digits(fraction, places);
  }

  #digits(value: number, count: number): void {
    for (let power = count - 1; power >= 0; power--) {
      this.int2(Math.floor(value / BASE ** power) % BASE);
    }
  }
}
