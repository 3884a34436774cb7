import type { Client } from "pg";
import type { Random } from "./random.ts";

const DRAWS_MAX = 2 ** 31 - 1;

/** What was done to the rows of an event. */
export type ChangeKind = "insert" | "update" | "delete" | "reinsert";

/** Rows of one table that one action changed. */
export interface Change {
  kind: ChangeKind;
  table: string;
  count: number;
}

/** The actions that traffic does on a source. */
export interface TrafficScript {
  /** The folder of its SQL: `prepare.sql`, and a file for each action. */
  folder: URL;
  actions: readonly {
    /** How often it is done, relative to the others. */
    weight: number;
    kind: ChangeKind;
    file: string;
  }[];
}

const ACTIONS: TrafficScript["actions"] = [
  { weight: 12, kind: "insert", file: "new_sale" },
  { weight: 6, kind: "insert", file: "new_purchase" },
  { weight: 0.5, kind: "insert", file: "new_design" },
  { weight: 1, kind: "update", file: "pay" },
  { weight: 47, kind: "update", file: "correct_sale" },
  { weight: 15, kind: "update", file: "correct_purchase" },
  { weight: 0.5, kind: "update", file: "move_staff" },
  { weight: 0.5, kind: "update", file: "change_department" },
  { weight: 1, kind: "update", file: "change_address" },
  { weight: 5, kind: "delete", file: "delete_payment" },
  { weight: 6, kind: "reinsert", file: "restore_payment" },
  { weight: 4, kind: "delete", file: "delete_sales_order" },
  { weight: 2, kind: "delete", file: "delete_purchase_order" },
];

/** The traffic of Totesys' application. */
export const TOTESYS_TRAFFIC: TrafficScript = {
  folder: new URL("./traffic/", import.meta.url),
  actions: ACTIONS,
};

/** Prepares a source for `act`; may be called again. */
export async function prepareActions(
  client: Client,
  { folder }: TrafficScript,
): Promise<void> {
  await client.query(await readSql(folder, "prepare"));
}

/** Does an action chosen by `random`; returns its changes, table by table. */
export async function act(
  client: Client,
  { random, script }: { random: Random; script: TrafficScript },
): Promise<Change[]> {
  const { kind, file } = random.weighted(script.actions);
  const { rows } = await client.query<
    { table_name: string; row_count: number }
  >(
    await readSql(script.folder, file),
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

function readSql(folder: URL, name: string): Promise<string> {
  const file = new URL(`${name}.sql`, folder);
  const known = statements.get(file.href) ?? Deno.readTextFile(file);
  statements.set(file.href, known);
  return known;
}
