import { quoteName, quoteText } from "../lib/postgres/postgres.ts";
import type { Dimension, Subject } from "../lib/project/dashboard.ts";
import {
  asOf,
  boardsOf,
  heldAt,
  isSplit,
  joinSql,
  mainMeasure,
  namedSql,
  nameSql,
  selectSql,
  textSql,
} from "./subject_sql.ts";

/**
 * What figures are grouped and summed by. In the query, `g0` and on are the
 * groups, `s0` and on the splits, `m0` and on the measures.
 */
interface Parts {
  subject: Subject;
  boards: Dimension[];
  /** The boards that have totals of their own. */
  groups: Dimension[];
  splits: Dimension[];
  groupNames: string[];
  /** Groups and splits. */
  keys: string[];
  sums: string[];
  /** Of the measures, the one that names are first ordered by. */
  main: string;
  /** Of the measures, the one that counts records. */
  count: string;
}

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

function partsOf(subject: Subject): Parts {
  const { dimensions, measures } = subject;
  const boards = boardsOf(subject);
  const groups = groupsOf(boards);
  const splits = dimensions.filter((one) => isSplit(subject, one));
  const groupNames = groups.map((_, index) => `g${index}`);
  const main = measures.findIndex(({ name }) => name === mainMeasure(subject));
  const counting = measures.findIndex(({ unit }) => unit === "count");
  return {
    subject,
    boards,
    groups,
    splits,
    groupNames,
    keys: [...groupNames, ...splits.map((_, index) => `s${index}`)],
    sums: measures.map((_, index) => `m${index}`),
    main: `m${main}`,
    count: `m${counting}`,
  };
}

/** The records that moved, each with its day, keys and measures. */
function recordsSql({ subject, groups, splits }: Parts): string {
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

/** What moved and passes the filters, by day and each group; and what is known. */
function countedSql({ boards, groups, groupNames, keys, sums }: Parts): string {
  const sets = ["record_day", ...groupNames];
  const splitNames = keys.slice(groupNames.length);
  const columns = [
    `grouping(${sets.join(", ")}) as others`,
    "to_char(record_day, 'YYYY-MM') as month",
    ...keys.map((name) => `cast(${name} as text) as ${name}`),
    ...sums.map((name) => `sum(sign * ${name}) as ${name}`),
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

/** The months and the first names as one JSON text, in order. */
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
  return `select json_agg(json_build_object(${entries.join(", ")})
    order by ${order.join(", ")})
    from ranked where by = 'month' or best <= $7`;
}

/** Boards of the same column share totals, except those counted by name. */
function groupsOf(boards: readonly Dimension[]): Dimension[] {
  return boards.filter((one, index) =>
    boards.findIndex((other) => isOfGroup(other, one)) === index
  );
}

/** The place of the group that has a board's totals. */
function groupOf(board: Dimension, groups: readonly Dimension[]): number {
  return groups.findIndex((group) => isOfGroup(board, group));
}

function isOfGroup(board: Dimension, group: Dimension): boolean {
  return board === group ||
    (board.column === group.column && !isByName(board) && !isByName(group));
}

function isByName({ named }: Dimension): boolean {
  return named?.isCountedByName === true;
}

function groupSql({ column, named }: Dimension, index: number): string {
  if (named?.isCountedByName !== true) return `moved.${quoteName(column)}`;
  return `case when moved.sign = 1 then ${
    namedSql(named, `names_${index}`)
  } else ${namedSql(named, `names_known_${index}`)} end`;
}

/**
 * The records that count: all that held at that batch; or, with totals, those
 * that held at only one of the two batches.
 */
function movedSql(subject: Subject, groups: readonly Dimension[]): string {
  const all = `select 1 as sign, records.* from (${
    selectSql(subject, `$6::bigint is null and ${heldAt("$1")}`)
  }) as records`;
  // Their totals are never known.
  if (subject.others.length > 0) {
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
