import assert from "node:assert/strict";
import type pg from "pg";
import { exitCode, StageError } from "../../../lib/errors.ts";
import { RESOURCES } from "../../../lib/stage.ts";
import {
  assertSame,
  History,
  warehouseState,
} from "../../harness/readers/oracle.ts";
import {
  execute,
  openPlatform,
  type Platform,
} from "../../harness/platform.ts";
import {
  fillSmall,
  insertOrder,
} from "../../harness/companies/small_source.ts";
import { visible } from "../../harness/readers/visible.ts";

type StageName = "extract" | "transform" | "load";

/** Repairs what was spoilt. */
export type Repair = () => Promise<unknown>;

/** Something that a stage must refuse. */
export interface BadInput {
  name: string;
  /** Breaks something after a first good batch; gives what repairs it. */
  spoil: (platform: Platform) => Promise<Repair>;
  /** The stage that must refuse it. */
  stage: StageName;
  message: RegExp;
  /** 1 unless it is said. */
  code?: number;
}

const ORDER: readonly StageName[] = ["extract", "transform", "load"];

/**
 * Tests each case: the stage refuses it with a message and a way out; nothing
 * of it is seen, neither then nor after the stages that follow, and what was
 * seen before still is; after the repair a run goes on by itself.
 */
export function testBadInputs(cases: readonly BadInput[]): void {
  for (const bad of cases) {
    Deno.test(`bad input: ${bad.name}`, async () => {
      await using platform = await openPlatform({ warehouse: "empty" });
      await fillSmall(platform.source.client);
      const history = new History(platform);
      await history.step();
      recordInto(history, platform);
      const repair = await bad.spoil(platform);
      const before = await visible(platform);

      await assert.rejects(platform[bad.stage](), (error) => {
        assert(error instanceof StageError, String(error));
        assert.match(error.message, bad.message);
        assert.equal(exitCode(error), bad.code ?? 1);
        assert.notEqual(error.hint ?? "", "");
        assertNoPassword([error.message, error.hint ?? ""], platform);
        return true;
      });
      assertNoPassword(platform.logged, platform);
      for (const stage of ORDER.slice(ORDER.indexOf(bad.stage) + 1)) {
        const { batches } = await platform[stage]();
        assert.deepEqual(batches, [], stage);
      }
      assert.deepEqual(await visible(platform), before);
      assertSame(
        await warehouseState(platform),
        history.stateOf(1),
        "the warehouse serves the batch before",
      );

      await repair();
      await execute(platform.source.client, insertOrder(40));
      await platform.extract();
      await platform.transform();
      await platform.load();
      await history.compareNow();
      await history.compareAll();
    });
  }
}

function assertNoPassword(
  texts: readonly string[],
  { config }: Platform,
): void {
  const { source, warehouse, s3 } = config;
  const passwords = [
    source?.password,
    warehouse?.password,
    s3?.secretAccessKey,
  ];
  const known = passwords.filter((password) => password !== undefined);
  assert.ok(known.length >= 2);
  for (const password of known) {
    assert.ok(!texts.some((text) => text.includes(password)), "a password");
  }
}

/** The source's state for each batch: nobody writes while one is extracted. */
function recordInto(history: History, platform: Platform): void {
  const { extract } = platform;
  platform.extract = async (options) => {
    platform.extract = extract;
    try {
      await history.extract(options);
    } finally {
      recordInto(history, platform);
    }
    return { stage: "extract", batches: [], rows: 0, bytes: 0 };
  };
}

/** A case of statements in the source, and of those that undo them. */
export function inSource(
  spoil: readonly string[],
  repair: readonly string[],
): BadInput["spoil"] {
  return async ({ source }) => {
    await execute(source.client, ...spoil);
    return () => execute(source.client, ...repair);
  };
}

/** A file that is damaged in this way; the repair puts it back. */
export async function damage(
  path: string,
  how: (bytes: Uint8Array) => Uint8Array | undefined,
): Promise<Repair> {
  const whole = await Deno.readFile(path);
  const damaged = how(whole);
  if (damaged === undefined) await Deno.remove(path);
  else await Deno.writeFile(path, damaged);
  return () => Deno.writeFile(path, whole);
}

/** The newest data file below a folder of a zone. */
export async function newestFile(
  zone: string,
  folder: string,
  ending: string,
): Promise<string> {
  const paths: string[] = [];
  for await (const batch of Deno.readDir(`${zone}/${folder}`)) {
    for await (const file of Deno.readDir(`${zone}/${folder}/${batch.name}`)) {
      if (file.name.endsWith(ending)) {
        paths.push(`${zone}/${folder}/${batch.name}/${file.name}`);
      }
    }
  }
  return paths.sort().at(-1) ?? "";
}

/** Turns over one bit in the middle. */
export function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const middle = Math.floor(copy.length / 2);
  copy[middle] = (copy[middle] ?? 0) ^ 1;
  return copy;
}

/** Where the second batch's manifest is. */
export function manifestOf(zone: string): string {
  return `${zone}/_batches/000000002.json`;
}

/** Lets every connection go through this; the repair ends that. */
export function withConnections(
  platform: Platform,
  change: (client: pg.Client) => void,
): Repair {
  const { context } = platform;
  context.resources = {
    ...RESOURCES,
    connect: async (settings, options) => {
      const connection = await RESOURCES.connect(settings, options);
      change(connection.client);
      return connection;
    },
  };
  return () => Promise.resolve(context.resources = RESOURCES);
}

/** Changes the statements of every connection on their way. */
export function withStatements(
  platform: Platform,
  change: (sql: string) => string,
): Repair {
  return withConnections(platform, (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    const changed = (first: unknown, ...rest: unknown[]) =>
      query(typeof first === "string" ? change(first) : first, ...rest);
    Object.assign(client, { query: changed });
  });
}
