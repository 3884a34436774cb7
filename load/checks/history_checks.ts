import { keyText } from "../../lib/postgres/key_text.ts";
import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import { checkedModel, type SqlFile } from "../../lib/project/project_sql.ts";
import { QUARANTINE } from "../../lib/project/quarantine_model.ts";
import { closedTable } from "../../lib/warehouse/model_tables.ts";
import type { WarehouseTable } from "../tables/warehouse_table.ts";
import { checkedRows } from "./checked_rows.ts";

type Checked = Pick<WarehouseTable, "model" | "references">;

/**
 * The checks of a table: those of the company's folder, and those of its
 * history, which are the same for every model. A file in the folder with the
 * name of one of these replaces it. `models` are the names of all.
 */
export function checksOf(
  table: Checked,
  company: { checks: readonly SqlFile[]; models: readonly string[] },
): SqlFile[] {
  const { name } = table.model;
  const own = company.checks.filter((check) =>
    checkedModel(check, company.models) === name
  );
  const generated = (name === QUARANTINE.name ? [] : historyChecks(table))
    .filter((check) => !own.some((one) => one.name === check.name));
  return [...own, ...generated]
    .toSorted((one, other) => one.name < other.name ? -1 : 1);
}

function historyChecks(table: Checked): SqlFile[] {
  const { name } = table.model;
  return [
    ...table.references.length === 0 ? [] : [{
      name: `${name}__references_are_known`,
      text: referencesSql(table),
    }],
    {
      name: `${name}__version_ends_after_it_starts`,
      text: endsSql(table),
    },
    { name: `${name}__versions_do_not_overlap`, text: overlapSql(table) },
  ].map((check) => ({ ...check, isGenerated: true as const }));
}

/** A placeholder stands where the source has nothing, or it was not read. */
function referencesSql({ model, references }: Checked): string {
  const unknown = references.map(({ column, dimension, dimensionKey }) =>
    `select ${quoteNames(model.key, "fact.")},
      ${quoteText(`${column} `)} || fact.${quoteName(column)} as missing
    from ${checkedRows(model.name)} as fact
    inner join ${quoteName(dimension)} as dimension
      on dimension.${quoteName(dimensionKey)} = fact.${quoteName(column)}
    where fact.to_batch is null and dimension.is_placeholder`
  );
  return `-- Rows that ${model.name} refers to were read from the source.
--
-- Severity: warning

select ${keyText(model.key)} as key,
  'refers to a row that is missing in the source, in quarantine, or has its key written differently: '
    || string_agg(missing, ', ' order by missing) as finding
from (${unknown.join("\nunion all\n")}) as placeholders
group by ${quoteNames(model.key)}`;
}

/** An empty or reversed interval is valid at no moment. */
function endsSql({ model }: Checked): string {
  return `-- A version of ${model.name} ends, in batches and in time, after it starts.
--
-- Severity: error

select ${keyText(model.key)} as key,
  format(
    'holds from batch %s, %s to batch %s, %s', from_batch, valid_from,
    coalesce(cast(to_batch as text), 'null'),
    coalesce(cast(valid_to as text), 'null')
  ) as finding
from ${versionsOf(model)} as versions
where from_batch >= to_batch
  or valid_from >= valid_to
  or (to_batch is null) <> (valid_to is null)`;
}

/**
 * A version that overlaps its successor would count twice. Only keys with a
 * closed version are examined: an index prevents two open ones.
 */
function overlapSql({ model }: Checked): string {
  const key = quoteNames(model.key);
  return `-- At most one version of each key of ${model.name} is valid at any moment.
--
-- Severity: error

with versions as (
  select ${key}, from_batch, to_batch, valid_to,
    lead(from_batch) over successors as next_from_batch,
    lead(valid_from) over successors as next_valid_from
  from ${versionsOf(model)} as own
  where (${key}) in (${closedKeys(model)})
  window successors as (partition by ${key} order by from_batch)
)
select ${keyText(model.key)} as key,
  format(
    'the version from batch %s ends at %s, but the next is from batch %s',
    from_batch, coalesce('batch ' || to_batch, 'no batch'), next_from_batch
  ) as finding
from versions
where next_from_batch is not null and (
  to_batch is null
  or valid_to is null
  or to_batch > next_from_batch
  or valid_to > next_valid_from
)`;
}

/** SQL for all versions: those of a dimension that ended are in another table. */
function versionsOf(model: Checked["model"]): string {
  if (model.kind === "fact") return checkedRows(model.name);
  const columns = `${
    quoteNames(model.key)
  }, valid_from, valid_to, from_batch, to_batch`;
  return `(
    select ${columns} from ${checkedRows(model.name)} where not is_placeholder
    union all
    select ${columns} from ${checkedRows(closedTable(model.name))}
  )`;
}

function closedKeys(model: Checked["model"]): string {
  const key = quoteNames(model.key);
  return model.kind === "fact"
    ? `select ${key} from ${checkedRows(model.name)} where to_batch is not null`
    : `select ${key} from ${checkedRows(closedTable(model.name))}`;
}
