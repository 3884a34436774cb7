import { quoteName } from "../lib/sql/quote.ts";
import { fullName } from "./catalogue.ts";
import type { Star } from "./star.ts";

const LINE_BREAK = /[\n\r\u2028\u2029]/;

/** The contract with the source: what each run reads from it. */
export function contractText(star: Star): string {
  const tables = star.models.map(({ table, key, columns }) => {
    const lines = columns.map(({ source, contract, isCarried }) =>
      `${isCarried ? `    -- carried from ${source.type}\n` : ""}    ${
        quoteIfNeeded(source.name)
      } ${contract}${source.notNull ? " not null" : ""},`
    );
    const known = columns.map(({ source }) => source.name);
    const leftOut = table.columns.map((column) => column.name)
      .filter((column) => !known.includes(column))
      // A comment is a single line.
      .filter((column) => !LINE_BREAK.test(column));
    return `create table ${quoteIfNeeded(table.schema)}.${
      quoteIfNeeded(table.name)
    } (
${
      table.readAs === undefined
        ? ""
        : `    -- read as: ${quoteIfNeeded(table.readAs)}\n`
    }${lines.join("\n")}${
      leftOut.length === 0
        ? ""
        : `\n    -- leaves out: ${leftOut.map(quoteIfNeeded).join(", ")}`
    }
    primary key (${key.map(quoteIfNeeded).join(", ")})
);
`;
  });
  return `-- The contract with the source: its tables and columns, as the pipeline reads
-- them. A table or column that nobody needs can go; a comment
-- "-- leaves out: column" in a table says that it is left out on purpose.

${tables.join("\n")}`;
}

/** The SQL that an administrator runs to let the role read these tables. */
export function grantsText(
  star: Star,
  options: { role: string; database: string },
): string {
  const role = quoteName(options.role);
  const schemas = [...new Set(star.models.map(({ table }) => table.schema))];
  const tables = star.models.map(({ table }) =>
    `    ${quoteName(table.schema)}.${quoteName(table.name)}`
  );
  const hidden = star.models.filter(({ table }) => table.rowSecurity)
    .map(({ table }) => fullName(table));
  return `-- Lets the pipeline's role read the tables of source.sql, and nothing else in
-- the source. An administrator runs it in the source's database, and again
-- whenever the contract has gained a table.

do $$
begin
    if not exists (
        select from pg_roles where rolname = '${
    options.role.replaceAll("'", "''")
  }'
    ) then
        -- Give it a password afterwards: \\password ${options.role}
        create role ${role} login connection limit 10;
    end if;
end
$$;

alter role ${role} set default_transaction_read_only = on;

grant connect on database ${quoteName(options.database)} to ${role};
${
    schemas.map((schema) =>
      `grant usage on schema ${quoteName(schema)} to ${role};`
    ).join("\n")
  }
grant select on
${tables.join(",\n")}
to ${role};
${
    hidden.length === 0 ? "" : `
-- Row security may hide rows of ${hidden.join(", ")}, and the pipeline
-- refuses to read a part of a table:
--
--     alter role ${role} bypassrls;
`
  }`;
}

/** A name in SQL, quoted if it needs to be. */
export function quoteIfNeeded(text: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(text) && !RESERVED.has(text)
    ? text
    : quoteName(text);
}

/** Words that PostgreSQL or DuckDB don't accept as a name of a table or column. */
const RESERVED = new Set(
  ("all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast check collate collation " +
    "column concurrently constraint create cross current_catalog current_date current_role current_schema current_time " +
    "current_timestamp current_user default deferrable desc describe distinct do else end " +
    "except exclude false fetch for foreign freeze from full glob grant group having ilike in " +
    "initially inner intersect into is isnull join lambda lateral leading left like limit " +
    "localtime localtimestamp map natural not notnull null offset on only or order outer " +
    "overlaps pivot pivot_longer pivot_wider placing positional primary qualify references " +
    "returning right select semi session_user show similar some struct summarize symmetric system_user " +
    "table tablesample then to trailing true try_cast union unique unpack unpivot user using " +
    "variadic verbose when where window with").split(" "),
);
