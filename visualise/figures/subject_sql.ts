import { quoteName } from "../../lib/sql/quote.ts";
import type { Dimension, Subject } from "../../lib/project/dashboard.ts";

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

/** Whether a version held at a batch. */
export function heldAt(batch: string): string {
  return `from_batch <= ${batch} and (to_batch is null or to_batch > ${batch})`;
}

/**
 * The subject's select over those versions of its fact. Within it, the names of
 * models stand for what they held at the batch.
 */
export function selectSql(
  { fact, others, select }: Subject,
  where: string,
): string {
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

/**
 * SQL for a sum of what has the `sign` 1 without that of what has -1, null where
 * nothing has a value. No value is negated: the least integer can't be.
 */
export function movedSum(column: string, sign = "sign"): string {
  // Reals times an integer are summed in double precision.
  const [added, taken] = [1, -1].map((one) =>
    `sum(1 * ${column}) filter (where ${sign} = ${one})`
  );
  return `case when ${taken} is null then ${added}
    else coalesce(${added}, 0) - ${taken} end`;
}

/** The name of what a column refers to, or what the column itself holds. */
export function nameSql(
  { named }: Dimension,
  alias: string,
  column: string,
): string {
  return named === undefined ? textSql(column) : namedSql(named, alias);
}

/** The name in a row of the model that has it. */
export function namedSql(
  { columns }: NonNullable<Dimension["named"]>,
  alias: string,
): string {
  const names = columns.map((one) =>
    `cast(${alias}.${quoteName(one)} as text)`
  );
  return `coalesce(${names.join(" || ' ' || ")}, 'unknown')`;
}

/** A value as text. */
export function textSql(column: string): string {
  return `coalesce(cast(${column} as text), 'unknown')`;
}

/** Joins the model that has the names of a table's column. */
export function joinSql(
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

/** A model as it was at a batch. */
export function asOf(model: string, batch: string): string {
  return `${quoteName(`${model}_as_of_batch`)}(${batch})`;
}
