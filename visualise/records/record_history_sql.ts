import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";

/**
 * A query for what a model changed after one batch ($1) up to another ($2): the
 * old and the new version as JSON in the order of the columns, and the key; the first $3 by key.
 */
export function changesSql({ name, key }: Model): string {
  const keys = key.map(quoteName);
  const history = quoteName(`${name}_history`);
  return `select json_build_array(${
    keys.map((_, index) => `cast(k${index} as text)`).join(", ")
  }) as key, row_to_json(earlier) as before,
  row_to_json(later) as after
from (
  select ${
    keys.map((one, index) =>
      `coalesce(later.${one}, earlier.${one}) as k${index}`
    )
      .join(", ")
  }, earlier, later
  from (
    select * from ${history}
    where from_batch > $1 and from_batch <= $2
      and (to_batch is null or to_batch > $2)
  ) as later
  full outer join (
    select * from ${history}
    where from_batch <= $1 and to_batch > $1 and to_batch <= $2
  ) as earlier on ${
    keys.map((one) => `later.${one} = earlier.${one}`).join(" and ")
  }
  order by ${keys.map((_, index) => `k${index}`).join(", ")}
  limit $3
) as changed
order by ${keys.map((_, index) => `k${index}`).join(", ")}`;
}

/** A query for every version of one row by its key, $1 and on. */
export function historySql({ name, key }: Model): string {
  return `select from_batch, to_batch, valid_from, valid_to,
  row_to_json(versions) as version
from ${quoteName(`${name}_history`)} as versions
where ${
    key.map((one, index) => `${quoteName(one)} = $${index + 1}`).join(" and ")
  }
order by from_batch`;
}

/** A query for the versions that a batch ($1) began and ended, by model. */
export function batchModelsSql(models: readonly Model[]): string {
  const counts = models.map(({ name }) =>
    `select ${quoteText(name)} as model,
  count(*) filter (where from_batch = $1) as added,
  count(*) filter (where to_batch = $1) as closed
from ${quoteName(`${name}_history`)}
where from_batch = $1 or to_batch = $1`
  );
  return counts.join("\nunion all\n");
}
