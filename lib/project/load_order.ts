import type { Model } from "./model.ts";
import type { TableHeader } from "./table_header.ts";

type Referring = Pick<Model, "name" | "kind" | "key"> & { table: TableHeader };

/**
 * Models in the order in which they are loaded: those that others refer to in
 * their headers come first, and the rest keep their order. Adds to `problems`
 * the references that can't be kept: to what isn't a model or isn't a
 * dimension, to a key of several columns, or in a cycle.
 */
export function inReferenceOrder<One extends Referring>(
  models: readonly One[],
  problems: string[],
): One[] {
  for (const model of models) problems.push(...targetProblems(model, models));
  const waiting = [...models];
  const ordered: One[] = [];
  while (waiting.length > 0) {
    const next = waiting.findIndex((model) =>
      othersOf(model).every((dimension) =>
        !waiting.some(({ name }) => name === dimension)
      )
    );
    if (next < 0) {
      problems.push(
        `sql/models: References form a cycle: ${cycleOf(waiting)}`,
      );
      return [...ordered, ...waiting];
    }
    ordered.push(...waiting.splice(next, 1));
  }
  return ordered;
}

/** The dimensions that a model refers to, without itself. */
function othersOf({ name, table }: Referring): string[] {
  return [...table.references.values()]
    .filter((dimension) => dimension !== name);
}

function targetProblems(
  { name, table }: Referring,
  models: readonly Referring[],
): string[] {
  return [...table.references].flatMap(([column, dimension]) => {
    const target = models.find((one) => one.name === dimension);
    const found = target === undefined
      ? "is not a model"
      : target.kind !== "dimension"
      ? "is not a dimension"
      : target.key.length !== 1
      ? `has a key of ${target.key.length} columns (${target.key.join(", ")})`
      : undefined;
    return found === undefined ? [] : [
      `sql/models/${name}.sql: its header says References: ${column} -> ${dimension}, which ${found}`,
    ];
  });
}

/** One of the cycles that keep these models from being put in order. */
function cycleOf(models: readonly Referring[]): string {
  const path: string[] = [];
  let model = models[0];
  while (model !== undefined && !path.includes(model.name)) {
    path.push(model.name);
    const next: string | undefined = othersOf(model)
      .find((dimension) => models.some(({ name }) => name === dimension));
    model = models.find(({ name }) => name === next);
  }
  const first = model?.name ?? "";
  return [...path.slice(path.indexOf(first)), first].join(" -> ");
}
