import { ConfigError } from "../lib/errors.ts";

/**
 * A first `.env` for a company's folder of SQL. It leaves out the URL that init
 * was given, which may hold another role's password. Throws a `ConfigError` if
 * no quotes fit around the folder's path.
 */
export function envText(into: string, { role }: { role: string }): string {
  return `# Settings of the pipeline for this company; .env.example lists all. In the
# user and password of a URL write %23 for a #, %24 for a $, %40 for an @,
# %2F for a / and %25 for a %.
SQL_DIRECTORY=${envValue(into)}
SOURCE_URL=postgres://${role}:PASSWORD@HOST:5432/DATABASE
WAREHOUSE_URL=postgres://totesys_loader:PASSWORD@HOST:5432/warehouse
ANALYST_URL=postgres://totesys_analyst:PASSWORD@HOST:5432/warehouse
INGESTION_URL=./ingestion_zone
PROCESSED_URL=./processed_zone
`;
}

/**
 * A value as Deno reads it from `.env`: within single quotes or backquotes
 * nothing is replaced and no # begins a comment.
 */
function envValue(text: string): string {
  if (/^[^\s#$'"`\\]*$/.test(text)) return text;
  const quote = ["'", "`"].find((one) => !text.includes(one));
  if (quote !== undefined && !/[\r\n]/.test(text)) {
    return `${quote}${text}${quote}`;
  }
  throw new ConfigError([
    `--into ${text}: no .env can hold this path: name a folder without line breaks, and without one of ' and \``,
  ]);
}
