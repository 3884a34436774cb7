import { Buffer } from "node:buffer";
import type pg from "pg";

/** Methods of the driver's connections that its types leave out. */
type CopyConnection = pg.Connection & {
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
};

/**
 * Rows are gathered into pieces of this many bytes, of which a binary row of the
 * 1,600 columns that Postgres allows needs a fifth: 32 bytes each at most.
 */
export const PIECE_BYTES = 256 * 1024;
/** With more pieces waiting than this, the server is made to wait. */
const PIECES_MAX = 8;

/**
 * A query in the form in which the driver takes streams: it calls these methods
 * with each message. CopyData messages become pieces here, with back pressure
 * on the socket.
 */
abstract class Copy implements pg.Submittable {
  rows = 0;
  protected connection: CopyConnection | undefined;
  protected error: Error | undefined;
  protected done = false;
  #wake: (() => void) | undefined;

  constructor(readonly sql: string) {}

  submit(connection: pg.Connection): void {
    this.connection = connection as CopyConnection;
    connection.query(this.sql);
  }

  handleCommandComplete(message: { text?: string }): void {
    const [, rows] = /^COPY (\d+)/.exec(message.text ?? "") ?? [];
    if (rows !== undefined) this.rows = Number(rows);
  }

  handleReadyForQuery(): void {
    this.done = true;
    // If the last pieces paused the socket, the next query would hang.
    this.connection?.stream.resume();
    this.wake();
  }

  handleError(error: Error): void {
    this.error ??= error;
    this.connection?.stream.resume();
    this.wake();
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}

  protected wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /**
   * Waits until the server sends something, or the connection ends. A scan may
   * send nothing for hours until it comes to a row.
   */
  protected heard(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

class CopyOut extends Copy {
  #pieces: Uint8Array[] = [];
  #open: Buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
  #used = 0;
  /** Memory of pieces that were consumed, for reuse. */
  #spare: Buffer[] = [];

  handleCopyData(message: { chunk: Uint8Array }): void {
    // The driver reuses its buffer: anything kept must be copied.
    const { chunk } = message;
    if (this.#used + chunk.length > this.#open.length) this.#close();
    if (chunk.length > this.#open.length) {
      this.#pieces.push(Uint8Array.from(chunk));
    } else {
      this.#open.set(chunk, this.#used);
      this.#used += chunk.length;
    }
    if (this.#pieces.length > PIECES_MAX) this.connection?.stream.pause();
    if (this.#pieces.length > 0) this.wake();
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (this.error !== undefined) throw this.error;
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          yield piece;
          if (piece.buffer.byteLength === PIECE_BYTES) {
            this.#spare.push(Buffer.from(piece.buffer));
          }
          continue;
        }
        if (this.done) {
          this.#close();
          yield* this.#pieces;
          return;
        }
        this.connection?.stream.resume();
        await this.heard();
      }
    } finally {
      // Abandoned in the middle of a COPY, the connection is unusable.
      if (!this.done && this.error === undefined) {
        this.connection?.stream.destroy();
      }
    }
  }

  #close(): void {
    if (this.#used === 0) return;
    this.#pieces.push(this.#open.subarray(0, this.#used));
    this.#open = this.#spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
    this.#used = 0;
  }
}

class CopyIn extends Copy {
  #started = false;

  handleCopyInResponse(): void {
    this.#started = true;
    this.wake();
  }

  async send(content: AsyncIterable<Uint8Array>): Promise<void> {
    while (!this.#started && this.error === undefined) await this.heard();
    const stream = this.connection?.stream;
    try {
      for await (const piece of content) {
        if (this.error !== undefined) break;
        this.connection?.sendCopyFromChunk(Buffer.from(piece));
        if (stream?.writableNeedDrain) {
          stream.once("drain", () => this.wake());
          await this.heard();
        }
      }
    } catch (error) {
      if (this.error === undefined) {
        this.connection?.sendCopyFail("the data ended early");
        await this.#finish().catch(() => {});
      }
      throw error;
    }
    if (this.error === undefined) this.connection?.endCopyFrom();
    await this.#finish();
  }

  async #finish(): Promise<void> {
    while (!this.done && this.error === undefined) await this.heard();
    if (this.error !== undefined) throw this.error;
  }
}

/** The bytes of a COPY TO STDOUT, and the rows that Postgres counted. */
export interface CopiedOut {
  /** The memory of a piece is reused once the next one is asked for. */
  pieces: AsyncIterable<Uint8Array>;
  /** Valid once the pieces have ended. */
  rowCount: () => number;
}

/**
 * Runs a COPY TO STDOUT and streams its bytes in constant memory; other
 * statements that return no rows may stand around it.
 */
export function copyOut(client: pg.Client, sql: string): CopiedOut {
  const copy = client.query(new CopyOut(sql));
  return { pieces: copy.pieces(), rowCount: () => copy.rows };
}

/**
 * Runs a COPY FROM STDIN with these bytes and returns the rows that Postgres
 * counted. Throws the server's error, or that of the content.
 */
export async function copyIn(
  client: pg.Client,
  sql: string,
  content: AsyncIterable<Uint8Array>,
): Promise<number> {
  const copy = client.query(new CopyIn(sql));
  await copy.send(content);
  return copy.rows;
}
