import assert from "node:assert/strict";
import { rebuildWarehouse } from "../../load/repair/rebuild_warehouse.ts";
import { resync } from "../../operate/resync.ts";
import { rebuildProcessed } from "../../transform/rebuild_processed.ts";
import type { Verification } from "../../verify/verification.ts";
import { verify } from "../../verify/verify.ts";
import type { Platform } from "./platform.ts";

/** What differs: `model place: keys`. */
export function differences(verification: Verification): string[] {
  return verification.comparisons
    .filter((one) => one.differences > 0)
    .map((one) =>
      `${one.model} ${one.place}: ` + [
        ...one.views,
        ...one.columns.map(({ column, kind }) => `column ${column} ${kind}`),
        ...one.firstKeys.map(({ key, kind }) => `${key} ${kind}`),
      ].join(", ")
    );
}

/** The tasks that it names, each once. */
export function repairsNamed({ comparisons }: Verification): string[] {
  return [...new Set(comparisons.flatMap((one) => one.repairs))];
}

/** Does what a verification names, model by model and in its order. */
export async function doWhatItSays(
  { context }: Platform,
  verification: Verification,
): Promise<void> {
  for (const command of repairsNamed(verification)) {
    const [, table] = /^\.\/totesys resync (\w+)$/.exec(command) ?? [];
    if (table !== undefined) await resync(context, { tables: [table] });
    else if (command === "./totesys rebuild processed") {
      assert.notEqual((await rebuildProcessed(context)).overtaken, true);
    } else if (command.startsWith("./totesys rebuild warehouse")) {
      await rebuildWarehouse(context, {
        accept: command.endsWith(" --accept"),
      });
    } else assert.fail(`no such task: ${command}`);
  }
}

/**
 * Verifies, expects these differences and tasks, runs the tasks, and expects
 * that nothing differs after them.
 */
export async function expectRepaired(
  platform: Platform,
  expected: { differences: readonly string[]; repairs: readonly string[] },
): Promise<void> {
  const verification = await verify(platform.context);
  assert.deepEqual(differences(verification), expected.differences);
  assert.deepEqual(repairsNamed(verification), expected.repairs);
  assert.equal(verification.same, false);
  await doWhatItSays(platform, verification);
  const repaired = await verify(platform.context);
  assert.deepEqual(differences(repaired), []);
  assert.equal(repaired.same, true);
}
