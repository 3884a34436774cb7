import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type ProjectSql,
  readProjectSql,
} from "../../../lib/project/project_sql.ts";
import { SQL_DIRECTORY } from "./sql_directory.ts";

/** What the source becomes for it. */
export const WIDENED = [
  "alter table staff add nickname text",
  "alter table currency add symbol text default '?'",
  "update staff set nickname = 'Nick' where staff_id = 2",
];

/**
 * The project's SQL with a column more in two tables, their models and the
 * warehouse, from a copy in this folder.
 */
export async function widenedSql(folder: string): Promise<ProjectSql> {
  await new Deno.Command("cp", {
    args: ["-r", SQL_DIRECTORY, join(folder, "sql")],
  }).output();
  const edit = async (file: string, from: string, to: string) => {
    const path = join(folder, "sql", file);
    const text = await Deno.readTextFile(path);
    assert(text.includes(from), file);
    await Deno.writeTextFile(path, text.replace(from, to));
  };
  await edit(
    "source.sql",
    "email_address text not null,",
    "email_address text not null,\n    nickname text,",
  );
  await edit(
    "source.sql",
    "currency_code text not null,",
    "currency_code text not null,\n    symbol text,",
  );
  await edit(
    "models/dim_staff.sql",
    "    staff.email_address\nfrom",
    "    staff.email_address,\n    staff.nickname\nfrom",
  );
  await edit(
    "models/dim_staff.sql",
    "        email_address\n    from",
    "        email_address,\n        nickname\n    from",
  );
  await edit(
    "models/dim_currency.sql",
    "    currency_code,",
    "    currency_code,\n    symbol,",
  );
  await Deno.writeTextFile(
    join(folder, "sql", "warehouse", "0090_wider.sql"),
    `alter table dim_staff add nickname text;
    alter table dim_staff_closed add nickname text;
    alter table dim_currency add symbol text;
    alter table dim_currency_closed add symbol text;`,
  );
  return readProjectSql(join(folder, "sql"));
}
