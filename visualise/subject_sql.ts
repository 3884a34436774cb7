import { quoteName, quoteText } from "../lib/postgres/postgres.ts";
import type { Dimension, Subject } from "../lib/project/dashboard.ts";

/** Of ranked names, how many are answered in each currency and state. */
const RANKED_MAX = 12;

/** Whether names of a dimension stay apart in each figure, as currencies do. */
export function isSplit(subject: Subject, { name }: Dimension): boolean {
  return subject.measures.some(({ currency }) => currency === name) ||
    subject.states?.dimension === name ||
    subject.cards.some(({ only }) => only?.dimension === name);
}

/** The dimensions that figures are grouped and filtered by, in order. */
export function boardsOf(subject: Subject): Dimension[] {
  return subject.dimensions.filter((one) => !isSplit(subject, one));
}

/** The measure that names are ranked by: the first of money, if there is any. */
export function mainMeasure({ measures }: Subject): string {
  const money = measures.find(({ unit }) => unit === "money");
  return (money ?? measures[0])?.name ?? "";
}

/**
 * A query for a subject's figures as of a batch ($1), from one day ($2) to
 * another ($3), and with the names of its boards ($7 and on, arrays), if these
 * are given: by month and by each board, in one scan. $4 is the day of the
 * snapshot.
 *
 * It gives two columns of JSON: `figures`, and `totals` by ids, from which
 * those of any other batch are computed with only the changes between the two:
 * $5 and $6 are the totals of a batch and its number, null where none are known
 * or names are given.
 */
export function figuresSql(subject: Subject): string {
  const boards = boardsOf(subject);
  const splits = subject.dimensions.filter((one) => isSplit(subject, one));
  const groups = groupsOf(boards);
  const counts = subject.measures.map(({ unit }) => unit === "count");
  const count = `m${counts.indexOf(true)}`;
  const main = subject.measures.findIndex(({ name }) =>
    name === mainMeasure(subject)
  );
  const groupNames = groups.map((_, index) => `g${index}`);
  const splitNames = splits.map((_, index) => `s${index}`);
  const sums = subject.measures.map((_, index) => `m${index}`);
  const keys = [...groupNames, ...splitNames];
  const maskOf = (place: number) =>
    [-1, ...groups.keys()].reduce(
      (mask, one) => mask * 2 + (one === place ? 0 : 1),
      0,
    );
  const totalsBy = (board: Dimension) =>
    groups.findIndex((group) => isOfGroup(board, group));
  return `with as_of as (
  select $1::bigint as batch, cast($4 as date) as day
),
moved as (${movedSql(subject, groups)}),
records as (
  select ${
    [
      "moved.sign",
      `cast(moved.${quoteName(subject.time)} as date) as record_day`,
      ...groups.map((group, index) => `${groupSql(group, index)} as g${index}`),
      ...splits.map(({ column }, index) =>
        `moved.${quoteName(column)} as s${index}`
      ),
      ...subject.measures.map(({ name, unit }, index) =>
        `${unit === "count" ? "1" : `moved.${quoteName(name)}`} as m${index}`
      ),
    ].join(", ")
  } from moved ${
    groups.map((group, index) =>
      isByName(group)
        ? `${joinSql(group, `names_${index}`, "moved")} ${
          joinSql(group, `names_known_${index}`, "moved", "$6")
        }`
        : ""
    ).join(" ")
  }
),
counted as (
  select ${
    [
      `grouping(${["record_day", ...groupNames].join(", ")}) as others`,
      "to_char(record_day, 'YYYY-MM') as month",
      ...keys.map((name) => `cast(${name} as text) as ${name}`),
      ...sums.map((name) => `sum(sign * ${name}) as ${name}`),
    ].join(", ")
  } from records
  where ($2::text is null or record_day >= cast($2 as date))
    and ($3::text is null or record_day <= cast($3 as date))
    ${
    boards.map((board, index) =>
      `and ${filterSql(board, `g${totalsBy(board)}`, index + 7)}`
    ).join(" ")
  }
  group by grouping sets (${
    ["record_day", ...groupNames].map((name) =>
      `(${[name, ...splitNames].join(", ")})`
    ).join(", ")
  })
  union all
  select * from jsonb_to_recordset($5::jsonb) as known (${
    [
      "others integer",
      "month text",
      ...keys.map((name) => `${name} text`),
      ...sums.map((name) => `${name} numeric`),
    ].join(", ")
  })
),
totals as (
  select ${
    [
      "others",
      "month",
      ...keys,
      ...sums.map((name) => `sum(${name}) as ${name}`),
    ].join(", ")
  } from counted group by ${["others", "month", ...keys].join(", ")}
  having sum(${count}) <> 0
),
named as (
  select 'month' as by, month as name, null as detail, totals.* from totals
  where others = ${maskOf(-1)}
  ${
    boards.map((board) => {
      const group = totalsBy(board);
      const column = `totals.g${group}`;
      const within = boards.find(({ name }) => name === board.within);
      const isJoined = board.named !== undefined && !isByName(board);
      const name = isByName(board)
        ? textSql(column)
        : nameSql(board, "names", column);
      return `union all select ${
        quoteText(board.name)
      } as by, ${name} as name, ${
        within === undefined ? "null" : nameSql(within, "names", column)
      } as detail, totals.* from totals ${
        isJoined ? joinTotals(board, "names", column) : ""
      } where others = ${maskOf(group)}`;
    }).join(" ")
  }
),
ranked as (
  select ${
    [
      "named.by",
      "named.name",
      "named.detail",
      ...splits.map((split, index) =>
        `${
          nameSql(split, `split_${index}`, `named.s${index}`)
        } as split_${index}`
      ),
      ...sums.map((name) => `sum(named.${name}) as ${name}`),
      `row_number() over (partition by ${
        [
          "named.by",
          ...splits.map((split, index) =>
            nameSql(split, `split_${index}`, `named.s${index}`)
          ),
        ].join(", ")
      } order by coalesce(sum(named.m${main}), 0) desc, named.name, named.detail) as place`,
    ].join(", ")
  } from named ${
    splits.map((split, index) =>
      split.named === undefined
        ? ""
        : joinTotals(split, `split_${index}`, `named.s${index}`)
    ).join(" ")
  } group by ${
    [
      "named.by",
      "named.name",
      "named.detail",
      ...splits.map((split, index) =>
        nameSql(split, `split_${index}`, `named.s${index}`)
      ),
    ].join(", ")
  }
)
select (
    select json_agg(json_build_object(${
    [
      "'by', by, 'name', name, 'detail', detail",
      ...splits.map(({ name }, index) => `${quoteText(name)}, split_${index}`),
      ...subject.measures.map(({ name }, index) =>
        `${quoteText(name)}, m${index}::text`
      ),
    ].join(", ")
  }) order by ${
    [
      "by",
      "case when by = 'month' then name end",
      `coalesce(m${main}, 0) desc`,
      "name",
      "detail",
      ...splits.map((_, index) => `split_${index}`),
    ].join(", ")
  })
    from ranked where by = 'month' or place <= ${RANKED_MAX}
  ) as figures,
  (select jsonb_agg(totals) from totals) as totals`;
}

/**
 * A query for a subject's records as of a batch ($1) with the day of its
 * snapshot ($2), filtered if given by month ($3), first day ($4), last day ($5)
 * and the names of its dimensions ($7 and on, arrays); at most $6, the newest
 * first or, of what is stacked by state, the oldest. Names are in the columns
 * "dimension 0" and on; "matching rows" is how many there are in all.
 */
export function rowsSql(subject: Subject): string {
  const { dimensions } = subject;
  const name = (index: number) => quoteName(`dimension ${index}`);
  const direction = subject.states === undefined ? "desc" : "asc";
  return `with as_of as (
  select $1::bigint as batch, cast($2 as date) as day
),
named as (
  select ${
    [
      "records.*",
      `cast(records.${quoteName(subject.time)} as date) as "record day"`,
      ...dimensions.map((one, index) =>
        `${
          nameSql(one, `names_${index}`, `records.${quoteName(one.column)}`)
        } as ${name(index)}`
      ),
    ].join(", ")
  } from (${selectSql(subject, heldAt("$1"))}) as records ${
    dimensions.map((one, index) => joinSql(one, `names_${index}`, "records"))
      .join(" ")
  }
)
select *, count(*) over () as "matching rows" from named
where ($3::text is null or to_char("record day", 'YYYY-MM') = $3)
  and ($4::text is null or "record day" >= cast($4 as date))
  and ($5::text is null or "record day" <= cast($5 as date))
  ${
    dimensions.map((_, index) =>
      `and ($${index + 7}::text[] is null or ${name(index)} = any($${
        index + 7
      }))`
    ).join(" ")
  }
order by ${
    [subject.time, ...subject.key].map((column) =>
      `${quoteName(column)} ${direction}`
    ).join(", ")
  }
limit $6`;
}

/** A query for the names of a dimension as of a batch ($1), at most $2. */
export function namesSql({ named }: Dimension): string | undefined {
  if (named === undefined) return undefined;
  return `select distinct ${namedSql(named, "names")} as name
  from ${asOf(named.model, "$1")} as names order by name limit $2`;
}

/** Boards of the same column share totals, except those counted by name. */
function groupsOf(boards: readonly Dimension[]): Dimension[] {
  return boards.filter((one, index) =>
    boards.findIndex((other) => isOfGroup(other, one)) === index
  );
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

function heldAt(batch: string): string {
  return `from_batch <= ${batch} and (to_batch is null or to_batch > ${batch})`;
}

/**
 * The subject's select over those versions of its fact. Within it, the names of
 * models stand for what they held at the batch.
 */
function selectSql({ fact, others, select }: Subject, where: string): string {
  const models = [
    `${quoteName(fact)} as (select facts.* from ${
      quoteName(fact)
    } as facts where ${where})`,
    ...others.map((model) =>
      `${quoteName(model)} as (select * from ${asOf(model, "$1")})`
    ),
  ];
  return `with ${
    models.join(", ")
  } select selected.* from (${select}) as selected`;
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

/** The name of what a column refers to, or what the column itself holds. */
function nameSql(
  { named }: Dimension,
  alias: string,
  column: string,
): string {
  return named === undefined ? textSql(column) : namedSql(named, alias);
}

function namedSql(
  { columns }: NonNullable<Dimension["named"]>,
  alias: string,
): string {
  const names = columns.map((one) =>
    `cast(${alias}.${quoteName(one)} as text)`
  );
  return `coalesce(${names.join(" || ' ' || ")}, 'unknown')`;
}

function textSql(column: string): string {
  return `coalesce(cast(${column} as text), 'unknown')`;
}

function joinSql(
  { named, column }: Dimension,
  alias: string,
  table: string,
  batch = "$1",
): string {
  return named === undefined
    ? ""
    : `left join ${asOf(named.model, batch)} as ${alias} on ${table}.${
      quoteName(column)
    } = ${alias}.${quoteName(named.key)}`;
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

function asOf(model: string, batch: string): string {
  return `${quoteName(`${model}_as_of_batch`)}(${batch})`;
}
