import { join } from "node:path";
import type pg from "pg";
import type { DuckDb } from "../lib/duckdb/duckdb.ts";
import { copyIn } from "../lib/postgres/copy.ts";
import { queryRow } from "../lib/postgres/postgres.ts";
import { quoteName, quoteNames, quoteText } from "../lib/sql/quote.ts";
import { inSavepoint } from "../lib/postgres/savepoint.ts";
import { type CopiedRows, copiedRowsSql, copyRows } from "./copied_rows.ts";
import { WORK_CATALOGUE } from "./expectation.ts";

/** Texts that are given to a column, and how its type writes them. */
export interface PrintedForms {
  column: string;
  /** The relation in DuckDB with both, as `GIVEN` and `OWN`. */
  rows: string;
}

/** Runs some work on a connection to the warehouse, and rolls it back. */
export type AskWarehouse = <Result>(
  work: (client: pg.Client) => Promise<Result>,
) => Promise<Result>;

/** No column of a model has such a name. */
const GIVEN = '" given"';
const OWN = '" own"';
/** SQLSTATE classes for text that a type can't read, or a domain rejects. */
const UNREADABLE = /^(0A|2[23]|42|54|P0)/;

/**
 * Lets the warehouse print expected values by the types of its columns: jsonb
 * sorts its keys, an inet omits /32, and only the type itself knows which texts
 * mean the same value. Sends the texts that the column does not hold, each
 * once; one that the type can't read stays as it is.
 */
export async function readPrintedForms(
  duckdb: DuckDb,
  options: {
    table: string;
    columns: readonly string[];
    /** SQL for the expected rows, and for the actual ones. */
    expected: readonly string[];
    held: readonly string[];
    folder: string;
    ask: AskWarehouse;
  },
): Promise<PrintedForms[]> {
  const { table, columns, folder, ask } = options;
  const found: PrintedForms[] = [];
  for (const [index, column] of columns.entries()) {
    const path = join(folder, "printed-forms-given.csv");
    const [written] = await duckdb.rows(
      `copy (select given, given from (${givenSql(column, options)}))
      to ${quoteText(path)} (format csv, header false, force_quote *)`,
    );
    const copied = written?.Count === "0"
      ? undefined
      : await ask((client) =>
        askPrintedForms(client, { table, column, given: path, folder })
      );
    await Deno.remove(path);
    if (copied === undefined) continue;
    const rows = `${WORK_CATALOGUE}.main.printed_forms_${index}`;
    await duckdb.run(
      `create or replace table ${rows} as from ${copiedRowsSql(copied)}`,
    );
    await Deno.remove(copied.path);
    found.push({ column, rows });
  }
  return found;
}

/** SQL for a column's text in rows that `joinPrintedForms` has joined. */
export function printedFormSql(
  column: string,
  forms: readonly PrintedForms[],
): string {
  const text = `cast(${quoteName(column)} as varchar)`;
  const index = forms.findIndex((one) => one.column === column);
  return index < 0 ? text : `coalesce(own_${index}.${OWN}, ${text})`;
}

/** SQL for rows, joined with the warehouse's forms of their texts. */
export function joinPrintedForms(
  rows: string,
  forms: readonly PrintedForms[],
): string {
  const joins = forms.map((form, index) =>
    `left join ${form.rows} as own_${index}
      on own_${index}.${GIVEN} = cast(${quoteName(form.column)} as varchar)`
  );
  return [`${rows} as given`, ...joins].join("\n");
}

/** SQL for the texts that no row of the warehouse has in that form. */
function givenSql(
  column: string,
  options: { expected: readonly string[]; held: readonly string[] },
): string {
  const name = quoteName(column);
  const texts = (relations: readonly string[]) =>
    relations.map((rows) =>
      `select cast(${name} as varchar) as given from ${rows}`
    )
      .join(" union all ");
  return `select distinct given from (${texts(options.expected)})
    anti join (${texts(options.held)}) using (given) where given is not null`;
}

async function askPrintedForms(
  client: pg.Client,
  options: { table: string; column: string; given: string; folder: string },
): Promise<CopiedRows> {
  const { table, column, given, folder } = options;
  const columns = [GIVEN, OWN].map((name) => name.slice(1, -1));
  const asked = "pg_temp.printed_forms";
  // As load does, by the column's own type, with its digits and domain.
  await client.query(
    `create temporary table printed_forms as
    select null::text as ${GIVEN}, ${quoteName(column)} as ${OWN}
    from ${quoteName(table)} where false`,
  );
  const copyGiven = async () => {
    using file = await Deno.open(given);
    await copyIn(
      client,
      `copy ${asked} (${quoteNames(columns)}) from stdin with (format csv)`,
      file.readable,
    );
  };
  const path = join(folder, "printed-forms.csv");
  if (await inSavepoint(client, UNREADABLE, copyGiven)) {
    const select = `select ${quoteNames(columns)} from ${asked}`;
    return await copyRows(client, { select, columns, path });
  }
  // One by one costs twice as much.
  await client.query(
    `${await printFunction(client, { table, column })};
    alter table ${asked} alter ${OWN} type text`,
  );
  await copyGiven();
  return await copyRows(client, {
    select: `select ${GIVEN}, own from (
        select ${GIVEN}, pg_temp.print_as(${GIVEN}) as own from ${asked}
      ) as printed where own is not null`,
    columns,
    path,
  });
}

/**
 * SQL that creates a function which prints a text as a column's type would,
 * null if the type can't read it. An explicit cast cuts off what is too long,
 * an assignment does not; but PL/pgSQL assigns no text to a composite type,
 * which has no modifier. `format` prints as COPY does.
 */
async function printFunction(
  client: pg.Client,
  { table, column }: { table: string; column: string },
): Promise<string> {
  const { type, has_modifier } = await queryRow(
    client,
    `select format_type(atttypid, atttypmod) as type,
      atttypmod <> -1 as has_modifier
    from pg_attribute
    where attrelid = to_regclass(quote_ident($1)) and attname = $2`,
    [table, column],
  );
  const body = has_modifier === "t"
    ? `declare value ${type} := $1; begin return format('%s', value); end`
    : `return format('%s', $1::${type})`;
  return `create function pg_temp.print_as(text) returns text
    language plpgsql as ${
    quoteText(`begin ${body};
      exception when data_exception or integrity_constraint_violation
        or syntax_error_or_access_rule_violation or program_limit_exceeded
        or feature_not_supported or raise_exception
      then return null; end`)
  }`;
}
