import type pg from "pg";
import type { Random } from "../../../demo/random.ts";
import { messageOf } from "../../../lib/errors.ts";
import { openClient } from "../servers/postgres.ts";
import { KEYS, TOTESYS_TABLES } from "./written_tables.ts";

/** A source table: rows that a number names, and a column to change. */
export interface WrittenTable {
  name: string;
  /** What holds for the row of a number. */
  where: (key: number) => string;
  /** What gives a row the key of a number. */
  move: (key: number) => string;
  /** The values of a new row. */
  values: (key: number, fresh: number) => string;
  /** What sets one of its columns to something that it never was. */
  change: (fresh: number) => string;
  /** What makes a row unreadable, and different from all that it was before. */
  spoil?: (fresh: number) => string;
  /** Whether a change may be stamped in its column `last_updated`. */
  isStamped: boolean;
  /** Whether another table can't take its name. */
  isPartitioned?: true;
}

const WRITERS = 4;
/** Keys far from those and from each other. */
const FAR_KEYS = [70_000, 1_000_003, 2_147_483_000];
const LOCK_TIMEOUT_MS = 40;
/** What an application may write as the time of a change. */
const STAMPS = [
  "clock_timestamp() at time zone 'UTC'",
  "now() at time zone 'UTC'",
  "now() at time zone 'UTC' - interval '400 days'",
  "now() at time zone 'UTC' + interval '3 days'",
  "last_updated",
];

/**
 * Several sessions that write to a source at random, as no application would:
 * with transactions that stay open, savepoints, rollbacks, prepared
 * transactions, ids given long before they write, stamps in the past and the
 * future, tables rewritten, emptied and exchanged, and a transaction in
 * another database. A seed repeats what is tried, whatever comes of it.
 */
export class RandomWriters implements AsyncDisposable {
  /** What was done, in order. */
  readonly story: string[] = [];
  #fresh = 1000;
  readonly #prepared: string[] = [];

  private constructor(
    private readonly clients: readonly pg.Client[],
    private readonly elsewhere: pg.Client,
    private readonly open: boolean[],
    private readonly random: Random,
    private readonly tables: readonly WrittenTable[],
  ) {}

  /** Opens the sessions, for Totesys' tables or for others. */
  static async open(
    url: string,
    random: Random,
    tables: readonly WrittenTable[] = TOTESYS_TABLES,
  ): Promise<RandomWriters> {
    const clients = await Promise.all(
      Array.from({ length: WRITERS }, () => openClient(url)),
    );
    for (const client of clients) {
      await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    }
    const other = new URL(url);
    other.pathname = "/postgres";
    return new RandomWriters(
      clients,
      await openClient(other.href),
      clients.map(() => false),
      random,
      tables,
    );
  }

  /** Does one thing in one of the sessions. */
  async write(): Promise<void> {
    const { random } = this;
    const session = random.between(0, WRITERS - 1);
    const { act } = random.weighted(
      this.open[session]
        ? [
          { weight: 60, act: () => this.#change() },
          { weight: 6, act: () => "savepoint here" },
          { weight: 4, act: () => "rollback to here" },
          { weight: 4, act: () => "release here" },
          { weight: 11, act: () => "commit" },
          { weight: 5, act: () => "rollback" },
          { weight: 3, act: () => this.#prepare() },
        ]
        : [
          { weight: 40, act: () => this.#change() },
          { weight: 20, act: () => "begin" },
          { weight: 16, act: () => "begin; select pg_current_xact_id()" },
          { weight: 4, act: () => this.#endPrepared() },
          { weight: 8, act: () => this.#rewrite() },
          { weight: 6, act: () => this.#changeAll() },
          { weight: 2, act: () => this.#widen() },
        ],
    );
    await this.#run(session, act());
    if (random.fraction() < 0.04) await this.#holdElsewhere();
  }

  /** Ends all that is open. */
  async settle(): Promise<void> {
    for (const session of this.clients.keys()) {
      if (this.open[session]) await this.#run(session, "commit");
    }
    await this.elsewhere.query("rollback");
    while (this.#prepared.length > 0) await this.#run(0, this.#endPrepared());
  }

  /** Ends the sessions; what is prepared would outlive them. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.clients.keys()) {
      if (this.open[session]) await this.#run(session, "rollback");
    }
    for (const name of this.#prepared) {
      await this.#run(0, `rollback prepared '${name}'`);
    }
    await Promise.all(
      [...this.clients, this.elsewhere].map((client) => client.end()),
    );
  }

  async #run(session: number, sql: string): Promise<void> {
    const client = this.clients[session];
    if (client === undefined || sql === "") return;
    if (/^begin\b[^;]*(; select .*)?$/.test(sql)) this.open[session] = true;
    if (/^(commit|rollback|prepare transaction .*)$/.test(sql)) {
      this.open[session] = false;
    }
    try {
      await client.query(sql);
      this.story.push(`${session}: ${sql}`);
    } catch (error) {
      this.story.push(`${session}: ${sql} -- ${messageOf(error)}`);
      // A transaction that failed stays so until it was to end anyway.
      if (!this.open[session]) await client.query("rollback");
    }
  }

  #change(): string {
    const { random } = this;
    const table = random.weighted(
      this.tables.map((one) => ({
        ...one,
        weight: one.spoil === undefined ? 1 : 3,
      })),
    );
    const { name } = table;
    const far = random.fraction() < 0.1;
    const near = random.between(1, KEYS);
    const id = far ? FAR_KEYS[near % FAR_KEYS.length] ?? near : near;
    const fresh = this.#fresh++;
    const where = `where ${table.where(id)}`;
    const stamp = this.#stamp(random);
    return random.weighted([
      {
        weight: 4,
        sql: `insert into ${name} values (${table.values(id, fresh)})
          on conflict do nothing`,
      },
      {
        weight: 5,
        sql: `update ${name} set ${table.change(fresh)}${
          table.isStamped ? stamp : ""
        } ${where}`,
      },
      { weight: 3, sql: `delete from ${name} ${where}` },
      {
        weight: 1,
        sql: `update ${name} set ${table.change(fresh)},
          ${table.move(1 + near % KEYS)} ${where}`,
      },
      {
        weight: 1,
        sql: `update ${name} set ${
          (table.spoil ?? table.change)(fresh)
        } ${where}`,
      },
    ]).sql;
  }

  #stamp(random: Random): string {
    const stamp = STAMPS[random.between(0, STAMPS.length - 1)];
    return `, last_updated = ${stamp}`;
  }

  /** Changes every row of a table at once, all with one timestamp. */
  #changeAll(): string {
    const { name, change, isStamped } = this.#anyTable();
    const set = change(this.#fresh++);
    return `update ${name} set ${set}${
      isStamped ? this.#stamp(this.random) : ""
    }`;
  }

  /** Adds a column that the contract leaves out, or takes it off again. */
  #widen(): string {
    const { name } = this.#anyTable();
    return this.random.weighted([
      {
        weight: 2,
        sql: `alter table ${name} add if not exists extra integer default 5`,
      },
      {
        weight: 1,
        sql: `alter table ${name} add if not exists extra float
          default random()`,
      },
      { weight: 1, sql: `alter table ${name} drop column if exists extra` },
    ]).sql;
  }

  /** A transaction in another database holds the watermark back all the same. */
  async #holdElsewhere(): Promise<void> {
    await this.elsewhere.query(
      this.random.fraction() < 0.5
        ? "begin; select pg_current_xact_id()"
        : "rollback",
    );
  }

  #anyTable(): WrittenTable {
    return this.random.weighted(
      this.tables.map((one) => ({ ...one, weight: 1 })),
    );
  }

  /** Gives a table another file, or another table its name. */
  #rewrite(): string {
    const { random } = this;
    const { name, where, change, values, isPartitioned } = this.#anyTable();
    const fresh = this.#fresh++;
    const fresher = this.#fresh++;
    const id = random.between(1, KEYS);
    return random.weighted([
      { weight: 2, sql: `vacuum full ${name}` },
      { weight: 2, sql: `vacuum freeze ${name}` },
      { weight: 1, sql: `truncate ${name}` },
      { weight: 1, sql: `cluster ${name} using ${name}_pkey` },
      {
        weight: 2,
        sql: `begin; create temporary table kept on commit drop as
          select * from ${name} where not (${where(id)}); truncate ${name};
          insert into ${name} select * from kept; commit;`,
      },
      isPartitioned ? { weight: 2, sql: `analyze ${name}` } : {
        weight: 2,
        sql: `begin; create table other (like ${name} including all);
          insert into other select * from ${name} where not (${where(id)});
          insert into other values (${values(id, fresh)});
          update other set ${change(fresher)} where ${where(1 + id % KEYS)};
          drop table ${name}; alter table other rename to ${name};
          alter index other_pkey rename to ${name}_pkey; commit;`,
      },
    ]).sql;
  }

  #prepare(): string {
    const name = `random_${crypto.randomUUID()}`;
    this.#prepared.push(name);
    return `prepare transaction '${name}'`;
  }

  #endPrepared(): string {
    const name = this.#prepared.shift();
    const end = this.random.fraction() < 0.7 ? "commit" : "rollback";
    return name === undefined ? "" : `${end} prepared '${name}'`;
  }
}
