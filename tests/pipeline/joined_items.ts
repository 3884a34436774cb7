import { query } from "../../lib/postgres/postgres.ts";
import type { Platform } from "../harness/platform.ts";
import {
  dimensionSql,
  HISTORY_SQL,
  smallProject,
} from "../harness/companies/small_project.ts";

export const SOURCE = `create table item (
    item_id integer not null,
    code text,
    note text,
    primary key (item_id)
);
create table label (
    label_id integer not null,
    code text,
    title text,
    primary key (label_id)
);
`;

const JOINED = `select item_id, item.code, title from current.item
  left join current.label on label.code = item.code`;

export function joinedProject() {
  return smallProject({
    source: SOURCE,
    models: [{
      name: "dim_item",
      key: ["item_id"],
      derivation: "join",
      sql: JOINED,
    }, {
      name: "fact_note",
      kind: "fact",
      key: ["id"],
      recordId: "record_id",
      sql: "select item_id as id, note from changed.item",
    }],
    warehouse: dimensionSql(
      "dim_item",
      "item_id integer primary key, code text, title text",
    ) + `create table fact_note (record_id bigint primary key,
      id integer not null, note text not null, ${HISTORY_SQL});`,
  });
}

export async function rowsOf(
  { warehouse }: Platform,
  table: string,
): Promise<string[]> {
  const rows = await query(
    warehouse.client,
    `select row_text::text as row_text from (${table}) as row_text order by 1`,
  );
  return rows.map((row) => row.row_text ?? "");
}
