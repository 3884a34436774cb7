import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Random } from "../../demo/random.ts";
import { messageOf } from "../../lib/errors.ts";
import { query, sqlState } from "../../lib/postgres/postgres.ts";
import { openClient } from "../harness/servers/postgres.ts";
import type { MigratedTable } from "./simulated_company.ts";

const WATCH_MS = 25;
/** A session that waits may keep a migration waiting for so long. */
const WAITING_MS_MAX = 1500;
/** One that reads may; then the migration is given up. */
const READING_MS_MAX = 3000;
/** Behind a writer's open transaction it is given up soon. */
const WRITER_MS_MAX = 200;
const PAUSE_MS = 20;
/** Longer than the second after which Postgres looks for a deadlock. */
const LONG_PAUSE_MS = 1200;
const LONG_SHARE = 0.4;
const DEADLOCK = "40P01";

/** For how long a migration has waited, and for whom. */
interface Waited {
  waiting: number;
  reading: number;
  writer: number;
}

/**
 * The source's owner, who alters tables while stages run: several in one
 * transaction, in any order. Whatever comes of that, it must not come of the
 * platform.
 */
export class Migrator implements AsyncDisposable {
  #fresh = 1;

  private constructor(
    private readonly client: pg.Client,
    private readonly watcher: pg.Client,
    private readonly tables: readonly MigratedTable[],
    private readonly story: string[],
  ) {}

  /** Opens its connection, and one that watches what it waits for. */
  static async open(
    url: string,
    options: { tables: readonly MigratedTable[]; story: string[] },
  ): Promise<Migrator> {
    return new Migrator(
      await openClient(url),
      await openClient(url),
      options.tables,
      options.story,
    );
  }

  /**
   * Runs one migration. Throws when a stage kept it waiting while it waited
   * itself, or made it fail.
   */
  async migrate(random: Random): Promise<void> {
    const steps = this.#plan(random, await this.#lockedTables());
    const isLong = random.fraction() < LONG_SHARE;
    const watch = new AbortController();
    const watched = this.#watch(watch.signal);
    let failed: unknown;
    try {
      for (const [index, step] of steps.entries()) {
        // When it has altered the first table, and the others not yet.
        await sleep(isLong && index === 2 ? LONG_PAUSE_MS : PAUSE_MS);
        await this.client.query(step);
      }
    } catch (error) {
      failed = error;
      await this.client.query("rollback");
    } finally {
      watch.abort();
    }
    const waited = await watched;
    const end = failed === undefined ? "" : ` -- ${messageOf(failed)}`;
    this.story.push(`migration: ${steps.join("; ")}${end}`);
    if (failed !== undefined && sqlState(failed) === DEADLOCK) {
      throw new Error(
        `a migration of the source is a deadlock's victim: ${
          messageOf(failed)
        }`,
      );
    }
    if (waited.waiting > WAITING_MS_MAX) {
      throw new Error(
        `a migration of the source waited ${waited.waiting} ms for a stage that waits`,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.client.end(), this.watcher.end()]);
  }

  /** What a writer's open transaction holds: nobody would migrate that now. */
  async #lockedTables(): Promise<Set<string>> {
    const locked = await query(
      this.watcher,
      `select relation::regclass::text as name from pg_locks
      where locktype = 'relation' and mode <> 'AccessShareLock'
        and database = (select oid from pg_database
          where datname = current_database())`,
    );
    return new Set(locked.map(({ name }) => name ?? ""));
  }

  #plan(random: Random, locked: ReadonlySet<string>): string[] {
    const order = this.tables
      .map((table) => ({ table, at: random.fraction() }))
      .sort((one, other) => one.at - other.at)
      .map(({ table }) => table)
      .filter(({ name }) => !locked.has(name));
    const [first] = order;
    if (first !== undefined && random.fraction() < 0.15) {
      return [`vacuum full ${first.name}`];
    }
    const altered = order.slice(0, random.between(2, 4))
      .map((table) => this.#alter(table, random));
    return ["begin", ...altered, "commit"];
  }

  /** What leaves the contract's columns as they were in the end. */
  #alter(table: MigratedTable, random: Random): string {
    const { name, column, type, otherType, partition } = table;
    const alter = `alter table ${name}`;
    const whole = random.weighted([
      {
        weight: 2,
        sql: `${alter} add if not exists note_${this.#fresh++} integer`,
      },
      {
        weight: 3,
        sql: `${alter} alter ${column} type ${otherType};
          ${alter} alter ${column} type ${type}`,
      },
      {
        weight: 2,
        sql: `${alter} rename ${column} to was_${column};
          ${alter} rename was_${column} to ${column}`,
      },
      {
        weight: 2,
        sql: `create temporary table kept_${name} on commit drop as
            select * from ${name}; truncate ${name};
          insert into ${name} select * from kept_${name}`,
      },
    ]).sql;
    const part = random.fraction();
    if (partition === undefined) {
      return part < 0.2 ? `reindex table ${name}` : whole;
    }
    return part < 0.5
      ? `${alter} detach partition ${partition.name};
        ${alter} attach partition ${partition.name} ${partition.bounds}`
      : whole;
  }

  /** Notes whom the migration waits for, and ends it where that is no stage. */
  async #watch(signal: AbortSignal): Promise<Waited> {
    const waited: Waited = { waiting: 0, reading: 0, writer: 0 };
    let isFor: keyof Waited | undefined;
    let since = performance.now();
    while (!signal.aborted) {
      await sleep(WATCH_MS);
      const now = await this.#blocker();
      if (now !== isFor) since = performance.now();
      isFor = now;
      if (now === undefined) continue;
      const ms = Math.round(performance.now() - since);
      waited[now] = Math.max(waited[now], ms);
      if (
        waited.writer > WRITER_MS_MAX || waited.reading > READING_MS_MAX ||
        waited.waiting > 2 * WAITING_MS_MAX
      ) await this.#cancel();
    }
    return waited;
  }

  /** Whom it waits for: a stage that itself waits, or one that reads. */
  async #blocker(): Promise<keyof Waited | undefined> {
    const blockers = await query(
      this.watcher,
      // A prepared transaction has no process: it is one of the writers'.
      `select case
          when (application_name ~ '^totesys ') is not true then 'writer'
          when wait_event_type = 'Lock' then 'waiting'
          else 'reading'
        end as who
      from unnest(pg_blocking_pids($1)) as blocker (pid)
      left join pg_stat_activity using (pid)`,
      [this.#pid],
    );
    const isThere = (who: string) => blockers.some((one) => one.who === who);
    if (blockers.length === 0) return undefined;
    if (isThere("waiting")) return "waiting";
    return isThere("reading") ? "reading" : "writer";
  }

  async #cancel(): Promise<void> {
    await this.watcher.query("select pg_cancel_backend($1)", [this.#pid]);
  }

  get #pid(): number {
    return (this.client as pg.Client & { processID: number }).processID;
  }
}
