import type { Client } from "pg";
import type { Random } from "./random.ts";

const DRAWS_MAX = 2 ** 31 - 1;

/** What the rows of an event had done to them. */
export type ChangeKind = "insert" | "update" | "delete" | "reinsert";

/** Rows of one table that one action changed. */
export interface Change {
  kind: ChangeKind;
  table: string;
  count: number;
}

/** What traffic does, how often, and the file in demo/traffic/ that does it. */
const ACTIONS = [
  { weight: 30, kind: "insert", file: "new_sale" },
  { weight: 12, kind: "insert", file: "new_purchase" },
  { weight: 1, kind: "insert", file: "new_design" },
  { weight: 25, kind: "update", file: "pay" },
  { weight: 10, kind: "update", file: "correct_sale" },
  { weight: 5, kind: "update", file: "correct_purchase" },
  { weight: 1, kind: "update", file: "move_staff" },
  { weight: 1, kind: "update", file: "change_department" },
  { weight: 1, kind: "update", file: "change_address" },
  { weight: 5, kind: "delete", file: "delete_payment" },
  { weight: 4, kind: "reinsert", file: "restore_payment" },
  { weight: 3, kind: "delete", file: "delete_sales_order" },
  { weight: 2, kind: "delete", file: "delete_purchase_order" },
] as const satisfies readonly {
  weight: number;
  kind: ChangeKind;
  file: string;
}[];

/** Prepares a source for `act`; may be repeated. */
export async function prepareActions(client: Client): Promise<void> {
  await client.query(await readSql("prepare"));
}

/** Does one action that `random` decides; what it changed, table by table. */
export async function act(client: Client, random: Random): Promise<Change[]> {
  const { kind, file } = random.weighted(ACTIONS);
  const { rows } = await client.query<
    { table_name: string; row_count: number }
  >(
    await readSql(file),
    [random.between(0, DRAWS_MAX)],
  );
  return rows
    .filter(({ row_count }) => row_count > 0)
    .map(({ table_name, row_count }) => ({
      kind,
      table: table_name,
      count: row_count,
    }));
}

const statements = new Map<string, Promise<string>>();

function readSql(file: string): Promise<string> {
  const known = statements.get(file) ??
    Deno.readTextFile(new URL(`./traffic/${file}.sql`, import.meta.url));
  statements.set(file, known);
  return known;
}
