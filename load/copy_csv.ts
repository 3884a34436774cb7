import type pg from "pg";
import { copyIn } from "../lib/copy.ts";
import { StageError } from "../lib/errors.ts";
import { quoteName, quoteNames, quoteText } from "../lib/postgres.ts";
import type { Progress } from "../lib/progress.ts";
import type { VersionsCsv } from "./export_versions.ts";

/**
 * Copies a CSV into a table and removes the file. Throws a `StageError` when
 * Postgres counted other rows than were written.
 */
export async function copyCsv(
  client: pg.Client,
  csv: VersionsCsv,
  options: { table: string; freeze: boolean; progress: Progress },
): Promise<void> {
  const { table, freeze, progress } = options;
  const file = await Deno.open(csv.path);
  const constants = Object.entries(csv.constants);
  for (const [column, value] of constants) {
    await client.query(
      `alter table ${table} alter ${quoteName(column)}
      set default ${quoteText(value)}`,
    );
  }
  const rows = await copyIn(
    client,
    `copy ${table} (${quoteNames(csv.columns)}) from stdin
    with (format csv${freeze ? ", freeze" : ""})`,
    counted(file.readable, progress),
  );
  for (const [column] of constants) {
    await client.query(
      `alter table ${table} alter ${quoteName(column)} drop default`,
    );
  }
  await Deno.remove(csv.path);
  progress.add({ rows });
  if (rows === csv.rows) return;
  throw new StageError(
    `Cannot load ${table}: ${rows} rows arrived of ${csv.rows} sent`,
    { subject: table, retryable: true, hint: "Run load again" },
  );
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  progress: Progress,
): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    progress.add({ bytes: piece.length });
    yield piece;
  }
}
