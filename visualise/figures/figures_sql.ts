import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import type { Dimension, Subject } from "../../lib/project/dashboard.ts";
import { groupOf, isByName, type Parts, partsOf } from "./figure_parts.ts";
import { movedSql, recordsSql } from "./counted_records_sql.ts";
import { asOf, movedSum, namedSql, nameSql, textSql } from "./subject_sql.ts";

/**
 * A query for a subject's figures as of a batch ($1), from one day ($2) to
 * another ($3), and with the names of its boards ($8 and on, arrays), if these
 * are given: by month and by each board, in one scan. $4 is the day of the
 * snapshot. A name is answered, in all its currencies and states, if it is one
 * of the first $7 by any measure in any of these.
 *
 * It gives two columns of JSON: `figures`, and `totals` by ids, from which
 * those of any other batch are computed with only the changes between the two:
 * $5 and $6 are the totals of a batch and its number, null where none are known
 * or names are given.
 */
export function figuresSql(subject: Subject): string {
  const parts = partsOf(subject);
  return `with as_of as (
  select $1::bigint as batch, cast($4 as date) as day
),
moved as (${movedSql(subject, parts.groups)}),
records as (${recordsSql(parts)}),
counted as (${countedSql(parts)}),
totals as (${totalsSql(parts)}),
named as (${namedTotalsSql(parts)}),
placed as (${placedSql(parts)}),
ranked as (
  select *, min(place) over (partition by by, name, detail) as best from placed
)
select (${figuresJsonSql(parts)}) as figures,
  (select jsonb_agg(totals) from totals) as totals`;
}

/** What moved and passes the filters, by day and each group; and what is known. */
function countedSql({ boards, groups, groupNames, keys, sums }: Parts): string {
  const sets = ["record_day", ...groupNames];
  const splitNames = keys.slice(groupNames.length);
  const columns = [
    `grouping(${sets.join(", ")}) as others`,
    "to_char(record_day, 'YYYY-MM') as month",
    ...keys.map((name) => `cast(${name} as text) as ${name}`),
    ...sums.map((name) => `${movedSum(name)} as ${name}`),
  ];
  const filters = boards.map((board, index) =>
    `and ${filterSql(board, `g${groupOf(board, groups)}`, index + 8)}`
  );
  const known = [
    "others integer",
    "month text",
    ...keys.map((name) => `${name} text`),
    ...sums.map((name) => `${name} numeric`),
  ];
  return `select ${columns.join(", ")} from records
  where ($2::text is null or record_day >= cast($2 as date))
    and ($3::text is null or record_day <= cast($3 as date))
    ${filters.join(" ")}
  group by grouping sets (${
    sets.map((name) => `(${[name, ...splitNames].join(", ")})`).join(", ")
  })
  union all
  select * from jsonb_to_recordset($5::jsonb) as known (${known.join(", ")})`;
}

/** The sums of both, without what is gone. */
function totalsSql({ keys, sums, count }: Parts): string {
  const by = ["others", "month", ...keys];
  const added = sums.map((name) => `sum(${name}) as ${name}`);
  return `select ${[...by, ...added].join(", ")} from counted
  group by ${by.join(", ")} having sum(${count}) <> 0`;
}

/** The totals by month, and those of each board with its names. */
function namedTotalsSql({ boards, groups }: Parts): string {
  // As `grouping` numbers the sets: a bit is 0 where its column is grouped by.
  const maskOf = (place: number) =>
    [-1, ...groups.keys()].reduce(
      (mask, one) => mask * 2 + (one === place ? 0 : 1),
      0,
    );
  const byBoard = boards.map((board) => {
    const group = groupOf(board, groups);
    const column = `totals.g${group}`;
    const within = boards.find(({ name }) => name === board.within);
    const isJoined = board.named !== undefined && !isByName(board);
    const name = isByName(board)
      ? textSql(column)
      : nameSql(board, "names", column);
    const detail = within === undefined
      ? "null"
      : nameSql(within, "names", column);
    return `union all select ${
      quoteText(board.name)
    } as by, ${name} as name, ${detail} as detail, totals.* from totals ${
      isJoined ? joinTotals(board, "names", column) : ""
    } where others = ${maskOf(group)}`;
  });
  return `select 'month' as by, month as name, null as detail, totals.*
  from totals where others = ${maskOf(-1)} ${byBoard.join(" ")}`;
}

/** The sums of each name, with its best place by any measure. */
function placedSql({ splits, sums }: Parts): string {
  const names = splits.map((split, index) =>
    nameSql(split, `split_${index}`, `named.s${index}`)
  );
  const by = ["named.by", "named.name", "named.detail", ...names];
  const apart = ["named.by", ...names].join(", ");
  const places = sums.map((name) =>
    `row_number() over (partition by ${apart}
      order by coalesce(sum(named.${name}), 0) desc, named.name, named.detail)`
  );
  const columns = [
    "named.by",
    "named.name",
    "named.detail",
    ...names.map((name, index) => `${name} as split_${index}`),
    ...sums.map((name) => `sum(named.${name}) as ${name}`),
    `least(${places.join(", ")}) as place`,
  ];
  const joins = splits.map((split, index) =>
    split.named === undefined
      ? ""
      : joinTotals(split, `split_${index}`, `named.s${index}`)
  );
  return `select ${columns.join(", ")} from named ${joins.join(" ")} group by ${
    by.join(", ")
  }`;
}

/**
 * The months and the first names as one JSON text, in order. Each is made of an
 * array, since a function has 100 arguments at most.
 */
function figuresJsonSql({ subject, splits, main }: Parts): string {
  const entries = [
    "'by', by, 'name', name, 'detail', detail",
    ...splits.map(({ name }, index) => `${quoteText(name)}, split_${index}`),
    ...subject.measures.map(({ name }, index) =>
      `${quoteText(name)}, m${index}::text`
    ),
  ];
  const order = [
    "by",
    "case when by = 'month' then name end",
    `coalesce(${main}, 0) desc`,
    "name",
    "detail",
    ...splits.map((_, index) => `split_${index}`),
  ];
  return `select json_agg(json_object(array[${entries.join(", ")}])
    order by ${order.join(", ")})
    from ranked where by = 'month' or best <= $7`;
}

/** Whether a record has one of the names, if any are given. */
function filterSql(board: Dimension, column: string, place: number): string {
  const given = `$${place}`;
  const { named } = board;
  if (named === undefined || isByName(board)) {
    return `(${given}::text[] is null or ${textSql(column)} = any(${given}))`;
  }
  const key = quoteName(named.key);
  return `(${given}::text[] is null or ${column} in (
    select names.${key} from ${asOf(named.model, "$1")} as names
    where ${namedSql(named, "names")} = any(${given})
  ) or ('unknown' = any(${given}) and not exists (
    select from ${asOf(named.model, "$1")} as names
    where names.${key} = ${column}
  )))`;
}

/** Totals have ids as text. */
function joinTotals(
  { named }: Dimension,
  alias: string,
  column: string,
): string {
  return `left join ${
    asOf(named?.model ?? "", "$1")
  } as ${alias} on ${column} = cast(${alias}.${
    quoteName(named?.key ?? "")
  } as text)`;
}
