import type pg from "pg";
import {
  query,
  quoteName,
  quoteNames,
  quoteText,
} from "../lib/postgres/postgres.ts";
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
  const isReal = kind === "dimension" ? " and not is_placeholder" : "";
  const table = quoteName(name);
  const digests = [
    [current, quoteName(current), `${table} where to_batch is null${isReal}`],
    [
      asOfTime,
      `${quoteName(asOfTime)}('infinity')`,
      `${table} where valid_to is null and valid_from is not null${isReal}`,
    ],
  ].map(([view = "", shown = "", held = ""]) =>
    `select ${quoteText(view)} as view, ${digestSql(shown, columns)} as shown,
      ${digestSql(held, columns)} as held`
  );
  const rows = await query(client, digests.join(" union all "));
  return rows.filter(({ shown, held }) => shown !== held)
    .map(({ view }) => view ?? "").sort();
}

function digestSql(from: string, columns: readonly string[]): string {
  const row = `row(${quoteNames(columns)})::text`;
  return `(select concat(count(*), ' ', sum(hashtextextended(${row}, 0)))
    from ${from})`;
}
