import type pg from "pg";
import type { Progress } from "../../lib/cli/progress.ts";
import { messageOf, StageError } from "../../lib/errors.ts";
import { copyIn } from "../../lib/postgres/copy.ts";
import { sqlState } from "../../lib/postgres/postgres.ts";
import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import type { ExportedVersions } from "./export_versions.ts";
import { adviceOn, SET_ASIDE_HINT } from "../../lib/warehouse/load_error.ts";

/**
 * Copies rows into a table. Throws a `StageError` when Postgres counted more or
 * fewer of them than were sent.
 */
export async function copyRows(
  client: pg.Client,
  versions: Omit<ExportedVersions, "types" | "unknown">,
  options: {
    table: string;
    /** The name in errors, where the table is a part of it. */
    model?: string;
    freeze: boolean;
    progress: Progress;
  },
): Promise<void> {
  const { table, freeze, progress } = options;
  const subject = options.model === undefined
    ? table
    : quoteName(options.model);
  const constants = Object.entries(versions.constants);
  const alter = async (action: (value: string) => string) => {
    if (constants.length === 0) return;
    const actions = constants.map(([column, value]) =>
      `alter ${quoteName(column)} ${action(value)}`
    );
    await client.query(`alter table ${table} ${actions.join(", ")}`);
  };
  await alter((value) => `set default ${quoteText(value)}`);
  const rows = await copyIn(
    client,
    `copy ${table} (${quoteNames(versions.columns)}) from stdin
    with (format ${versions.format}${freeze ? ", freeze" : ""})`,
    counted(versions.pieces, progress),
  ).catch((error) => {
    throw valueError(error, { subject, model: options.model }) ?? error;
  });
  await alter(() => "drop default");
  progress.add({ rows });
  const sent = versions.rows();
  if (rows === sent) return;
  throw new StageError(
    `Cannot load ${subject}: ${rows} of ${sent} rows received`,
    {
      subject,
      hint:
        "A trigger on it skips rows: drop it. If there is none, run load again",
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

/** Names the column whose type can't hold a value, and the remedy. */
function valueError(
  error: unknown,
  { subject, model }: { subject: string; model: string | undefined },
): StageError | undefined {
  // A type's input may look up an object, or call a domain's function.
  if (!/^(22|23|42|P0)/.test(sqlState(error) ?? "")) return undefined;
  const { where } = error as { where?: string };
  // "COPY table, line 1, column name: value", in the server's language.
  const [, column] = /^COPY [^,]+, \S+ \d+, \S+ ([^:]+)/.exec(where ?? "") ??
    [];
  if (column === undefined) return undefined;
  return new StageError(
    `Cannot load ${subject}: its column "${column}" can't hold what the model gives: ${
      messageOf(error)
    }`,
    {
      subject,
      hint: model === undefined
        ? adviceOn(error).hint
        : columnHint(model, column),
      cause: error,
    },
  );
}

/** How to make a column hold what its type refused. */
function columnHint(model: string, column: string): string {
  const views = ["_current", "_history"].map((view) => quoteName(model + view));
  return `Let its type hold that by a migration in sql/warehouse (alter type ... add value, alter domain ... drop constraint), or make the column text: drop view ${
    views.join(", ")
  } cascade; alter table ${quoteName(model)} alter ${
    quoteName(column)
  } type text; of a dimension also that of its closed versions. Load makes the views again. Or ${SET_ASIDE_HINT}`;
}
