import { counted } from "../lib/counted.ts";
import type { StageContext } from "../lib/stage.ts";
import { describeKeys } from "./describe_keys.ts";
import type { Verification } from "./verification.ts";
import { sum } from "../lib/batches/sum.ts";

/** Logs a difference as an error, which sets off an alarm. */
export function logVerification(
  verification: Verification,
  { log }: StageContext,
): void {
  const { batch, comparisons, brokenRules, same, seconds } = verification;
  for (const one of comparisons) {
    if (one.differences === 0) continue;
    log.error(
      one.place === "history"
        ? "{model} has other versions in the warehouse than in the lake: {found}, the first: {keys}"
        : "{model} in the {place} differs from the source: {found}, the first: {keys}",
      {
        model: one.model,
        place: one.place,
        differences: one.differences,
        found: counted(one.differences, "differences"),
        keys: describeKeys(one),
        hint: `Run ${one.repairs.join(", then ")}`,
        batch,
      },
    );
  }
  for (const rule of brokenRules) {
    log[rule.severity === "error" ? "error" : "warn"](
      "check {check}: {findings} findings, the first {key}: {finding}",
      { ...rule, batch },
    );
  }
  if (!same) return;
  log.info(
    "batch {batch}: source, lake and warehouse are the same in {rows} rows of {models} models, {seconds} s",
    {
      batch,
      rows: sum(comparisons.filter((one) => one.place === "lake"), "rows"),
      models: new Set(comparisons.map((one) => one.model)).size,
      seconds: Number(seconds.toFixed(1)),
    },
  );
}
