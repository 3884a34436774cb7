import type { Plan } from "./plan.ts";

/** The plan as a table for people. */
export function formatPlan(plan: Plan): string {
  const batches = (pending: { from: number; to: number } | undefined) =>
    pending === undefined
      ? "nothing pending"
      : pending.from === pending.to
      ? `batch ${pending.from}`
      : `batches ${pending.from} to ${pending.to}`;
  return [
    `transform  ${batches(plan.transform)}`,
    ...plan.changedSince === undefined ? [] : [
      `           sql/ has changed since batch ${plan.changedSince}: ${
        plan.isAddition
          ? "it only adds, so new batches have it without --accept; for earlier batches as well, run"
          : "for new batches only, run it with --accept; for earlier ones as well, run"
      } \`./totesys rebuild processed\``,
      ...plan.changes.map((line) => `             ${line}`),
    ],
    ...plan.lacks.length === 0 ? [] : [
      "           rows that a run leaves as they are:",
      ...plan.lacks.map((line) => `             ${line}`),
    ],
    `load       ${batches(plan.load)}`,
    ...plan.warehouse.length + plan.dropped.length + plan.lost.length === 0
      ? ["warehouse  unchanged"]
      : [],
    ...section("warehouse  will gain:", plan.warehouse),
    ...section("warehouse  will no longer have:", plan.dropped),
    ...section(
      `warehouse  will lose, ${
        plan.isAccepted === true ? "as was accepted" : "only with --accept"
      }:`,
      plan.lost,
    ),
    ...section(
      "rebuild    would also drop columns that no model has (tables stay):",
      plan.rebuild,
    ),
    ...plan.refusals.flatMap(({ message, hint }) => [
      `refused: ${message}`,
      ...hint === undefined ? [] : [`  -> ${hint}`],
    ]),
    "Nothing was written.",
    "",
  ].join("\n");
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
}
