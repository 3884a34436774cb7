import type { Connection } from "../lib/postgres/postgres.ts";

/** The connections of one snapshot, which end together. */
export class Connections implements AsyncDisposable {
  readonly #opened = new Set<Connection>();
  readonly #first: AsyncDisposable[] = [];
  #closed = false;

  constructor(private readonly open: () => Promise<Connection>) {}

  readonly connect = async (): Promise<Connection> => {
    const connection = await this.open();
    this.#opened.add(connection);
    if (this.#closed) await this.end(connection);
    return connection;
  };

  readonly end = async (connection: Connection): Promise<void> => {
    this.#opened.delete(connection);
    await connection[Symbol.asyncDispose]();
  };

  /** Connections that are opened alike and ended apart. */
  another(): Connections {
    return new Connections(this.open);
  }

  /** Has something disposed of before the connections are. */
  closeFirst(one: AsyncDisposable): void {
    this.#first.push(one);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const one of this.#first.splice(0)) await one[Symbol.asyncDispose]();
    const connections = [...this.#opened];
    this.#opened.clear();
    await Promise.all(connections.map((one) => one[Symbol.asyncDispose]()));
  }
}
