import type { Subject } from "../../lib/project/dashboard.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import {
  isSplit,
  joinSql,
  movedSum,
  nameSql,
  selectSql,
} from "./subject_sql.ts";

/**
 * Whether the figures of a subject are sums of what each batch changed. Those
 * of a day, and of several rows or models, change without a version of their
 * fact.
 */
export function hasTrail({ isOfDay, seesOthers }: Subject): boolean {
  return !isOfDay && !seesOthers;
}

/**
 * A query for what was added to a subject's measures and taken from them, by
 * month and split, after batches ($1) and up to others ($2, arrays); $3 is the
 * batch whose names are given. Its columns are `batch`, the last of each span,
 * `month`, and those of the splits and measures by their names.
 */
export function trailSql(subject: Subject): string {
  const splits = subject.dimensions.filter((one) => isSplit(subject, one));
  const names = splits.map((split, index) =>
    nameSql(split, `split_${index}`, `moved.${quoteName(split.column)}`)
  );
  const month = `to_char(cast(moved.${
    quoteName(subject.time)
  } as date), 'YYYY-MM')`;
  const within = (column: string) =>
    `${column} > spans.low and ${column} <= spans.high`;
  const side = (sign: number, column: string) =>
    `select ${sign} as sign, records.* from (${
      selectSql(subject, within(column))
    }) as records`;
  const sums = subject.measures.map(({ name, unit }) =>
    `${
      movedSum(
        unit === "count" ? "1" : `moved.${quoteName(name)}`,
        "moved.sign",
      )
    } as ${quoteName(name)}`
  );
  const columns = [
    "spans.high as batch",
    `${month} as month`,
    ...names.map((name, index) =>
      `${name} as ${quoteName(splits[index]?.name ?? "")}`
    ),
    ...sums,
  ];
  const joins = splits.map((split, index) =>
    joinSql(split, `split_${index}`, "moved", "$3")
  );
  return `select ${columns.join(", ")}
  from unnest($1::bigint[], $2::bigint[]) as spans (low, high)
  cross join lateral (
    ${side(1, "from_batch")} union all ${side(-1, "to_batch")}
  ) as moved ${joins.join(" ")}
  -- Also where nothing is named, for a query must use all that it is given.
  where $3::bigint is not null
  group by ${["spans.high", month, ...names].join(", ")}
  order by spans.high`;
}
