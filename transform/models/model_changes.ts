import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { Model } from "../../lib/project/model.ts";

/** Where a batch's rows come from, for the SQL that stamps them. */
export interface BatchStamp {
  batch: number;
  /** ISO 8601, UTC, microseconds. */
  snapshotTime: string;
}

/**
 * SQL for the versions that a batch adds to a model: new or changed rows, and
 * keys that are gone, each stamped with the batch, sorted by key. Both
 * relations are given as SQL; `deleted` has only the key's columns.
 */
export function versionsSql(
  model: Pick<Model, "key">,
  options: {
    columns: readonly ModelColumn[];
    changed: string;
    deleted: string;
    stamp: BatchStamp;
  },
): string {
  const { columns, changed, deleted, stamp } = options;
  const names = quoteNames(columns.map((column) => column.name));
  const deletedColumns = columns.map(({ name, type }) =>
    model.key.includes(name)
      ? quoteName(name)
      : `cast(null as ${type}) as ${quoteName(name)}`
  );
  return `select ${names}, cast(${stamp.batch} as bigint) as batch, is_delete,
      cast(${quoteText(stamp.snapshotTime)} as timestamp) as snapshot_time
    from (
      select ${names}, false as is_delete from (${changed})
      union all
      select ${deletedColumns.join(", ")}, true as is_delete from (${deleted})
    ) order by ${quoteNames(model.key)}`;
}

/** SQL for the versions that are open after the batches of these files. */
export function openVersionsSql(
  model: Pick<Model, "key">,
  options: { columns: readonly ModelColumn[]; files: string },
): string {
  const { columns, files } = options;
  const names = quoteNames(columns.map((column) => column.name));
  return `select ${names} from ${files}
    qualify not is_delete and row_number() over (
      partition by ${quoteNames(model.key)} order by batch desc
    ) = 1`;
}

/** SQL for the rows of one relation that are not the same in the other. */
export function differenceSql(
  columns: readonly ModelColumn[],
  options: { of: string; without: string },
): string {
  const names = quoteNames(columns.map((column) => column.name));
  return `select ${names} from (${options.of})
    except select ${names} from (${options.without})`;
}

/** SQL for the keys of one relation that the other does not hold. */
export function missingKeysSql(
  key: readonly string[],
  options: { of: string; without: string },
): string {
  return `select ${quoteNames(key)} from (${options.of})
    except select ${quoteNames(key)} from (${options.without})`;
}
