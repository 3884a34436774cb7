import type pg from "pg";
import { query, quoteName, quoteNames, quoteText } from "../lib/postgres.ts";
import type { ModelInLake } from "./lake_rows.ts";

/**
 * The view of a model and the function of its past that show other rows than
 * its table holds now: somebody replaced them. The history and the state as of
 * a batch are read row by row elsewhere. Only the server's own hashes are
 * compared with each other, so that nothing leaves it.
 */
export async function viewsShowingOthers(
  client: pg.Client,
  options: { model: ModelInLake; columns: readonly string[] },
): Promise<string[]> {
  const { model: { name, kind }, columns } = options;
  const current = `${name}_current`;
  const asOfTime = `${name}_as_of_time`;
  const isDimension = kind === "dimension";
  const digests = [
    digestSql(
      `${quoteName(name)} where to_batch is null${
        isDimension ? " and not is_placeholder" : ""
      }`,
      { name, columns },
    ),
    digestSql(quoteName(current), { name: current, columns }),
    digestSql(`${quoteName(asOfTime)}('infinity')`, {
      name: asOfTime,
      columns,
    }),
  ];
  const rows = await query(client, digests.join(" union all "));
  const held = rows.find((row) => row.name === name)?.digest;
  return rows.filter((row) => row.digest !== held)
    .map((row) => row.name ?? "").sort();
}

function digestSql(
  from: string,
  options: { name: string; columns: readonly string[] },
): string {
  const row = `row(${quoteNames(options.columns)})::text`;
  return `select ${quoteText(options.name)} as name,
    concat(count(*), ' ', sum(hashtextextended(${row}, 0))) as digest
    from ${from}`;
}
