import type pg from "pg";
import type { Progress } from "../lib/cli/progress.ts";
import { messageOf, StageError } from "../lib/errors.ts";
import { copyIn } from "../lib/postgres/copy.ts";
import {
  quoteName,
  quoteNames,
  quoteText,
  sqlState,
} from "../lib/postgres/postgres.ts";
import type { VersionsCsv } from "./export_versions.ts";
import { adviceOn } from "./load_error.ts";

/**
 * Copies a CSV into a table and removes the file. Throws a `StageError` when
 * Postgres counted other rows than were written.
 */
export async function copyCsv(
  client: pg.Client,
  csv: VersionsCsv,
  options: {
    table: string;
    /** What errors name, where the table is a temporary one. */
    model?: string;
    freeze: boolean;
    progress: Progress;
  },
): Promise<void> {
  const { table, freeze, progress } = options;
  const subject = options.model === undefined
    ? table
    : quoteName(options.model);
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
  ).catch((error) => {
    throw valueError(error, subject) ?? error;
  });
  for (const [column] of constants) {
    await client.query(
      `alter table ${table} alter ${quoteName(column)} drop default`,
    );
  }
  await Deno.remove(csv.path);
  progress.add({ rows });
  if (rows === csv.rows) return;
  throw new StageError(
    `Cannot load ${subject}: ${rows} rows arrived of ${csv.rows} sent`,
    {
      subject,
      hint:
        "A trigger on it leaves rows out: drop that. If there is none, run load again",
    },
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

/** Names the column whose type can't hold a value. */
function valueError(error: unknown, subject: string): StageError | undefined {
  if (sqlState(error)?.startsWith("22") !== true) return undefined;
  const { where } = error as { where?: string };
  // "COPY table, line 1, column name: value", in the server's language.
  const [, column] = /^COPY [^,]+, \S+ \d+, \S+ ([^:]+)/.exec(where ?? "") ??
    [];
  if (column === undefined) return undefined;
  return new StageError(
    `Cannot load ${subject}: its column "${column}" can't hold what the model gives: ${
      messageOf(error)
    }`,
    { subject, hint: adviceOn(error).hint, cause: error },
  );
}
