import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { StageError } from "../../lib/errors.ts";
import type { Connection } from "../../lib/postgres/postgres.ts";
import { RESOURCES, type Resources } from "../../lib/stage.ts";
import type { S3Settings, Zone } from "../../lib/zone/zone.ts";
import { leaveUploadOpen } from "./leave_upload_open.ts";

/** What goes wrong at one call to a store, a database or DuckDB. */
export type FaultKind =
  | "die before"
  | "die after"
  | "die half way"
  | "fail"
  | "fail after"
  | "late";

/** A fault at one call of a process. */
export interface Fault {
  /** The n-th call, counted from 1, or the first of which this is the start. */
  at: number | string;
  /** Only of those that have this in their name. */
  of?: string;
  kind: FaultKind;
}

/** A clock of the source that was set. */
export interface SourceClock {
  hours: number;
  /**
   * So much later than the batch before a snapshot is, where the clock stands
   * before that: another number for each process, for each to be told apart.
   */
  microseconds: number;
}

/** What the simulation does at certain moments of a process. */
export interface Moments {
  /** While a call that is late has not begun. It must not throw. */
  late: () => Promise<void>;
  /** As soon as extract has its snapshot, and before it reads anything. */
  snapshot: (id: string, time: string) => Promise<void>;
  /** How the source's clock is wrong, where it is. */
  sourceClock?: SourceClock;
  /** In place of a simulated death: a real one. It must not return. */
  die?: () => void;
}

/** Thrown by every call of a process that is dead. */
export class Died extends Error {
  override readonly name = "Died";
}

/** Files of many batches are written, and those of merges are compared. */
const MERGE =
  /^duckdb (copy .*-merged\.|select count\(\*\) as (rows, sum\(hash|held))/;
/** How the list of a group's manifests is named, which its commits follow. */
const GROUP = "-group.json";
const LOST = "Connection terminated unexpectedly";
/** So long a call is under way when its process dies half way. */
const HALF_WAY_MS = 1;
/** The real ones: a real process puts the simulated ones in their place. */
const REAL: Resources = { ...RESOURCES };

/**
 * A process that stages run in: what it reaches may fail at chosen calls, and
 * it may die there. A dead process has no effect any more: its connections are
 * gone, and whatever its code still tries is not done.
 */
export class SimulatedProcess {
  dead = false;
  /** What it has called, in order. */
  readonly calls: string[] = [];
  /** The faults that have struck, as `kind at what`. */
  readonly struck: string[] = [];
  /**
   * Those that struck where files of many batches were merged or written, and
   * while a group was committed.
   */
  readonly struckIn = { merges: 0, groups: 0 };
  readonly #faults: Set<Fault>;
  readonly #clients = new Set<pg.Client>();
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(faults: readonly Fault[], private readonly moments: Moments) {
    this.#faults = new Set(faults);
  }

  /** What the stages of this process are given. */
  readonly resources: Resources = {
    openZone: (url, options) =>
      this.#zone(REAL.openZone(url, options), options.s3),
    connect: (settings, options) => {
      let opened: Connection | undefined;
      return this.#call("connect", {
        work: async () => {
          opened = await REAL.connect(settings, options);
          return this.#connection(opened);
        },
        fail: () => {
          if (opened !== undefined) sever(opened.client);
          return unavailable("the database");
        },
      });
    },
    openDuckDb: async (config, options) =>
      this.#duckdb(await REAL.openDuckDb(config, options)),
  };

  /** Resolves when nothing that it began is under way any more. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) {
      await Promise.allSettled([...this.#underWay]);
    }
  }

  #die(): Died {
    this.moments.die?.();
    this.dead = true;
    for (const client of this.#clients) sever(client);
    return new Died("the process died");
  }

  /** Counts a call and lets the fault that is due strike. */
  async #call<Result>(
    what: string,
    { work, fail, half }: {
      work: () => Promise<Result>;
      /** What the caller sees when it fails. */
      fail: () => Error;
      /**
       * Leaves it half done. Left out where it is done whole or not at all: it
       * has begun, and it ends without the process, or does not.
       */
      half?: () => Promise<unknown>;
    },
  ): Promise<Result> {
    const kind = this.#strike(what);
    switch (kind) {
      case "die before":
        throw this.#die();
      case "die half way":
        if (half !== undefined) await this.#track(half().catch(() => {}));
        else {
          this.#track(work().catch(() => {}));
          await sleep(HALF_WAY_MS);
        }
        throw this.#die();
      case "die after":
        await this.#track(work().catch(() => {}));
        throw this.#die();
      case "fail":
        throw fail();
      case "fail after":
        await this.#track(work());
        throw fail();
      case "late":
        await this.moments.late();
    }
    if (this.dead) throw new Died("the process is dead");
    const result = await this.#track(work());
    if (this.dead) throw new Died("the process died meanwhile");
    return result;
  }

  #strike(what: string): FaultKind | undefined {
    if (this.dead) throw new Died("the process is dead");
    const call = this.calls.push(what);
    const fault = [...this.#faults].find(({ at, of = "" }) =>
      typeof at === "number"
        ? at === call
        : what.startsWith(at) && what.includes(of)
    );
    if (fault === undefined) return undefined;
    this.#faults.delete(fault);
    this.struck.push(`${fault.kind} at ${what}`);
    if (MERGE.test(what)) this.struckIn.merges++;
    const isOfGroup = /^(create|put) /.test(what) &&
      this.calls.some((one) => one.endsWith(GROUP));
    if (isOfGroup) this.struckIn.groups++;
    return fault.kind;
  }

  #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#underWay.add(work);
    const done = () => this.#underWay.delete(work);
    work.then(done, done);
    return work;
  }

  #zone(zone: Zone, s3: S3Settings | undefined): Zone {
    const call = <Result>(
      what: string,
      work: () => Promise<Result>,
      half?: () => Promise<unknown>,
    ) =>
      this.#call(what, {
        work,
        fail: () => unavailable(zone.url),
        ...(half === undefined ? {} : { half }),
      });
    return {
      url: zone.url,
      listsAfter: zone.listsAfter,
      locate: (key) => zone.locate(key),
      close: () => zone.close(),
      read: (key) => call(`read ${key}`, () => zone.read(key)),
      readRange: (key, range) =>
        call(`read ${key}`, () => zone.readRange(key, range)),
      head: (key) => call(`head ${key}`, () => zone.head(key)),
      stream: (key) => call(`read ${key}`, () => zone.stream(key)),
      create: (key, content) =>
        call(`create ${key}`, () => zone.create(key, content)),
      put: (key, content, options) =>
        call(`put ${key}`, () => zone.put(key, content, options)),
      remove: (key) => call(`remove ${key}`, () => zone.remove(key)),
      list: async function* (prefix, options) {
        await call(`list ${prefix}`, () => Promise.resolve());
        yield* zone.list(prefix, options);
      },
      unfinished: async function* () {
        await call("list unfinished", () => Promise.resolve());
        for await (const file of zone.unfinished()) {
          const remove = () => call(`remove ${file.name}`, () => file.remove());
          yield { ...file, remove };
        }
      },
      now: () => call("ask the time", () => zone.now()),
      removeEmptyFolders: (before) =>
        call("remove empty folders", () => zone.removeEmptyFolders(before)),
      write: async (key, content, options) => {
        try {
          return await call(
            `write ${key}`,
            () => zone.write(key, content, options),
            () => writeHalf(zone, { write: [key, content, options], s3 }),
          );
        } catch (error) {
          // As the zone does: who gives the content must learn of its end.
          await content[Symbol.asyncIterator]().return?.().catch(() => {});
          throw error;
        }
      },
    };
  }

  #connection(connection: Connection): Connection {
    const { client } = connection;
    this.#clients.add(client);
    if (this.dead) sever(client);
    return {
      client: new Proxy(client, {
        get: (target, name) => {
          if (name === "query") {
            return (...args: unknown[]) => this.#query(target, args);
          }
          const value = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  }

  #query(client: pg.Client, args: unknown[]): unknown {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    if (isSubmittable(args[0])) return this.#copy(client, args[0], query);
    const sql = String(args[0]);
    const isSnapshot = sql.includes("pg_export_snapshot");
    if (isSnapshot) args[0] = this.#withClock(sql);
    const name = sql.trim().replaceAll(/\s+/g, " ").slice(0, 60);
    return this.#call(`query ${name}`, {
      work: async () => {
        const result = await query(...args) as pg.QueryResult;
        if (isSnapshot) {
          const { snapshot_id, snapshot_time } = result.rows[0];
          await this.moments.snapshot(snapshot_id, snapshot_time);
        }
        return result;
      },
      fail: () => {
        sever(client);
        return new Error(LOST);
      },
    });
  }

  #withClock(sql: string): string {
    const clock = this.moments.sourceClock;
    if (clock === undefined) return sql;
    return sql
      .replace(
        "clock_timestamp()",
        `clock_timestamp() + interval '${clock.hours} hours'`,
      )
      .replace("'1 microsecond'", `'${clock.microseconds} microseconds'`);
  }

  /**
   * A COPY is given out at once: it begins, maybe late, or is cut in the
   * middle.
   */
  #copy(
    client: pg.Client,
    copy: pg.Submittable,
    query: (...args: unknown[]) => unknown,
  ): unknown {
    const kind = this.#strike("copy");
    if (kind === "die before") throw this.#die();
    if (kind === "fail") {
      sever(client);
      throw new Error(LOST);
    }
    if (kind === "late") {
      const submit = copy.submit.bind(copy);
      copy.submit = (connection) => {
        this.#track(this.moments.late()).then(() => {
          if (!connection.stream.destroyed) submit(connection);
        });
      };
    }
    const begun = query(copy);
    if (kind === "fail after") sever(client);
    if (kind === "die after" || kind === "die half way") this.#die();
    return begun;
  }

  #duckdb(duckdb: DuckDb): DuckDb {
    const call = <Result>(sql: string, work: () => Promise<Result>) => {
      const target = /^copy [^]* to '([^']+)'/.exec(sql)?.[1];
      const file = target?.split("/").at(-1);
      const name = file === undefined
        ? sql.trim().replaceAll(/\s+/g, " ").slice(0, 60)
        : `copy (...) to ${file}`;
      return this.#call(`duckdb ${name}`, {
        work,
        fail: () => new Error("IO Error: HTTP 503 Slow Down"),
        half: async () => {
          await work();
          if (target?.startsWith("/")) await cutInHalf(target);
        },
      });
    };
    return {
      tempDirectory: duckdb.tempDirectory,
      run: (sql) => call(sql, () => duckdb.run(sql)),
      rows: (sql) => call(sql, () => duckdb.rows(sql)),
      chunks: (sql) => call(sql, () => duckdb.chunks(sql)),
      [Symbol.asyncDispose]: async () => {
        await Promise.allSettled([...this.#underWay]);
        await duckdb[Symbol.asyncDispose]();
      },
    };
  }
}

function unavailable(what: string): StageError {
  return new StageError(`Cannot reach ${what}: 503 Slow Down`, {
    subject: what,
    retryable: true,
  });
}

/** Cuts a connection as a network does: the server learns of it. */
function sever(client: pg.Client): void {
  const { stream } = (client as pg.Client & { connection: pg.Connection })
    .connection;
  stream.destroy();
}

function isSubmittable(value: unknown): value is pg.Submittable {
  return typeof value === "object" && value !== null && "submit" in value;
}

/** Leaves of a file what a write leaves that ends half way. */
async function writeHalf(
  zone: Zone,
  { write: [key, content, options], s3 }: {
    write: Parameters<Zone["write"]>;
    s3: S3Settings | undefined;
  },
): Promise<void> {
  if (s3 === undefined || !zone.url.startsWith("s3:")) {
    await zone.write(key, firstPiece(content), options);
    return;
  }
  for await (const part of firstPiece(content)) {
    await leaveUploadOpen(zone.locate(key), { s3, part });
  }
}

async function* firstPiece(
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    yield piece.subarray(0, Math.ceil(piece.length / 2));
    return;
  }
}

async function cutInHalf(path: string): Promise<void> {
  const { size } = await Deno.stat(path);
  await Deno.truncate(path, Math.floor(size / 2));
}
