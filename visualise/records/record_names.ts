import { quoteName } from "../../lib/sql/quote.ts";
import type { Dimension, Subject } from "../../lib/project/dashboard.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import type { FactChange } from "./fact_changes.ts";
import { namedSql } from "../figures/subject_sql.ts";
import type { Warehouse } from "../warehouse.ts";

type Named = NonNullable<Dimension["named"]>;

/** What happened to a record between two batches. */
export interface Happened {
  model: ModelSql;
  /** The batch that the old version was of. */
  before: number;
  /** The batch that the new version is of. */
  after: number;
  columns: FactChange["columns"];
}

/** What a column refers to, by the names that it had at those times. */
type NamedColumn = FactChange["columns"][number] & {
  names?: { before: string | null; after: string | null };
};

/**
 * Adds to columns that refer to something the names that it had then, as the
 * dashboard's dimensions name it.
 */
export async function nameColumns(
  warehouse: Warehouse,
  subjects: readonly Subject[],
  happened: readonly Happened[],
): Promise<NamedColumn[][]> {
  const found = new Map<string, string | null>();
  const asked = new Map<string, { named: Named; pairs: Map<string, Pair> }>();
  const sourceOf = (model: ModelSql, column: string) =>
    namedBy(subjects, model, column);
  for (const { model, before, after, columns } of happened) {
    for (const column of columns) {
      const named = sourceOf(model, column.name);
      if (named === undefined) continue;
      const one = asked.get(sourceKey(named)) ?? { named, pairs: new Map() };
      asked.set(sourceKey(named), one);
      for (
        const pair of [
          { batch: before, id: column.before },
          { batch: after, id: column.after },
        ]
      ) {
        if (pair.id !== null) one.pairs.set(pairKey(named, pair), pair);
      }
    }
  }
  await Promise.all([...asked.values()].map(async ({ named, pairs }) => {
    const all = [...pairs.values()];
    const rows = await warehouse.ask({
      name: `names of ${named.model}`,
      text: namesAtSql(named),
    }, [
      all.map(({ batch }) => String(batch)),
      all.map(({ id }) => String(id)),
    ]);
    for (const { batch, id, name } of rows) {
      found.set(pairKey(named, { batch, id }), name ?? null);
    }
  }));
  return happened.map(({ model, before, after, columns }) =>
    columns.map((column) => {
      const named = sourceOf(model, column.name);
      if (named === undefined) return column;
      const nameOf = (batch: number, id: unknown) =>
        found.get(pairKey(named, { batch, id })) ?? null;
      return {
        ...column,
        names: {
          before: nameOf(before, column.before),
          after: nameOf(after, column.after),
        },
      };
    })
  );
}

interface Pair {
  batch: unknown;
  id: unknown;
}

function sourceKey(named: Named): string {
  return JSON.stringify([named.model, named.key, named.columns]);
}

function pairKey(named: Named, { batch, id }: Pair): string {
  return JSON.stringify([sourceKey(named), String(batch), String(id)]);
}

/** What names a column of a model: of several dimensions, the closest one. */
function namedBy(
  subjects: readonly Subject[],
  model: ModelSql,
  column: string,
): Named | undefined {
  if (model.key.length === 1 && model.key[0] === column) return undefined;
  const own = subjects.filter(({ fact }) => fact === model.name)
    .flatMap(({ dimensions }) => dimensions)
    .filter((one) => one.column === column && one.named !== undefined);
  const target = model.table.references.get(column);
  const others = subjects.flatMap(({ dimensions }) => dimensions)
    .filter(({ named }) => target !== undefined && named?.model === target);
  const candidates = own.length > 0 ? own : others;
  const closest = candidates.find((one) => one.column.includes(one.name));
  return (closest ?? candidates[0])?.named;
}

/** A query for the names of ids ($2) as of batches ($1). */
function namesAtSql(named: Named): string {
  return `select asked.batch, asked.id, ${namedSql(named, "names")} as name
from unnest(cast($1 as bigint[]), cast($2 as text[])) as asked (batch, id)
inner join ${quoteName(`${named.model}_history`)} as names
  on cast(names.${quoteName(named.key)} as text) = asked.id
  and names.from_batch <= asked.batch
  and (names.to_batch is null or names.to_batch > asked.batch)`;
}
