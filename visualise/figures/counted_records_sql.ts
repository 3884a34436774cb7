import { quoteName } from "../../lib/sql/quote.ts";
import type { Dimension, Subject } from "../../lib/project/dashboard.ts";
import { isByName, type Parts } from "./figure_parts.ts";
import { heldAt, joinSql, namedSql, selectSql } from "./subject_sql.ts";

/**
 * The records that count: all that held at that batch; or, with totals, those
 * that held at only one of the two batches.
 */
export function movedSql(
  subject: Subject,
  groups: readonly Dimension[],
): string {
  const all = `select 1 as sign, records.* from (${
    selectSql(subject, `$6::bigint is null and ${heldAt("$1")}`)
  }) as records`;
  // Their totals are never known.
  if (subject.seesOthers) {
    return `${all} where $6::bigint is null`;
  }
  const low = "least($1::bigint, $6::bigint)";
  const high = "greatest($1::bigint, $6::bigint)";
  const later = "$1::bigint > $6::bigint";
  const side = (isLater: string, where: string) =>
    `select case when ${isLater} then 1 else -1 end as sign, records.* from (${
      selectSql(subject, where)
    }) as records`;
  const renamed = groups.filter(isByName).map(({ column, named }) =>
    `select signs.sign, records.* from (${
      selectSql(
        subject,
        `from_batch <= ${low} and (to_batch is null or to_batch > ${high})`,
      )
    }) as records cross join (values (1), (-1)) as signs (sign)
    where $6::bigint is not null and records.${quoteName(column)} in (
      select ${quoteName(named?.key ?? "")}
      from ${quoteName(`${named?.model}_history`)}
      where (from_batch > ${low} and from_batch <= ${high})
        or (to_batch > ${low} and to_batch <= ${high})
    )`
  );
  return [
    all,
    side(
      later,
      `from_batch > ${low} and from_batch <= ${high}
      and (to_batch is null or to_batch > ${high})`,
    ),
    side(
      `not ${later}`,
      `from_batch <= ${low} and to_batch > ${low} and to_batch <= ${high}`,
    ),
    ...renamed,
  ].join(" union all ");
}

/** The records that moved, each with its day, keys and measures. */
export function recordsSql({ subject, groups, splits }: Parts): string {
  const columns = [
    "moved.sign",
    `cast(moved.${quoteName(subject.time)} as date) as record_day`,
    ...groups.map((group, index) => `${groupSql(group, index)} as g${index}`),
    ...splits.map(({ column }, index) =>
      `moved.${quoteName(column)} as s${index}`
    ),
    ...subject.measures.map(({ name, unit }, index) =>
      `${unit === "count" ? "1" : `moved.${quoteName(name)}`} as m${index}`
    ),
  ];
  const joins = groups.map((group, index) =>
    isByName(group)
      ? `${joinSql(group, `names_${index}`, "moved")} ${
        joinSql(group, `names_known_${index}`, "moved", "$6")
      }`
      : ""
  );
  return `select ${columns.join(", ")} from moved ${joins.join(" ")}`;
}

function groupSql({ column, named }: Dimension, index: number): string {
  if (named?.isCountedByName !== true) return `moved.${quoteName(column)}`;
  return `case when moved.sign = 1 then ${
    namedSql(named, `names_${index}`)
  } else ${namedSql(named, `names_known_${index}`)} end`;
}
