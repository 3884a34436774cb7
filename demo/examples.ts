import { join } from "node:path";
import { ConfigError } from "../lib/errors.ts";
import { platformDirectory } from "../lib/platform_directory.ts";
import { SALES_ORDERS, TRADE_END } from "./fill.ts";
import type { HintedFact } from "./hints.ts";
import { TOTESYS_TRAFFIC, type TrafficScript } from "./traffic_actions.ts";

/** A company that the demo can show. */
export interface Example {
  /** Its name, and that of the source's database. */
  name: string;
  /** Its folder of SQL. */
  sqlDirectory: string;
  /** A table that exists once the source is filled. */
  filledTable: string;
  /** The SQL that creates and fills the source; left out for Totesys. */
  files?: readonly URL[];
  /** How many orders the source has at first. */
  orders: number;
  /** The day on which the generated trade ends. */
  tradeEnd: Date;
  traffic: TrafficScript;
  fact: HintedFact;
}

const NORTHWIND = new URL("../examples/northwind/source/", import.meta.url);

export const TOTESYS: Example = {
  name: "totesys",
  sqlDirectory: join(platformDirectory(), "examples", "totesys", "sql"),
  filledTable: "sales_order",
  orders: SALES_ORDERS,
  tradeEnd: TRADE_END,
  traffic: TOTESYS_TRAFFIC,
  fact: {
    name: "fact_sales_order",
    measure: "units_sold",
    orderKey: "sales_order_id",
  },
};

export const EXAMPLES: readonly Example[] = [TOTESYS, {
  name: "northwind",
  sqlDirectory: join(platformDirectory(), "examples", "northwind", "sql"),
  filledTable: "northwind.orders",
  files: ["schema.sql", "fill.sql"].map((file) => new URL(file, NORTHWIND)),
  orders: 830,
  tradeEnd: new Date("2024-11-04T00:00Z"),
  traffic: {
    folder: new URL("traffic/", NORTHWIND),
    actions: [
      { weight: 12, kind: "insert", file: "new_order" },
      { weight: 8, kind: "update", file: "ship_order" },
      { weight: 40, kind: "update", file: "correct_line" },
      { weight: 4, kind: "update", file: "reprice" },
      { weight: 2, kind: "update", file: "move_customer" },
      { weight: 2, kind: "update", file: "hand_over" },
      { weight: 1, kind: "delete", file: "delete_line" },
      { weight: 3, kind: "delete", file: "cancel_order" },
    ],
  },
  fact: {
    name: "fact_order_line",
    measure: "net_amount",
    orderKey: "order_id",
  },
}];

/** Finds an example by name. Throws a `ConfigError` that lists all of them. */
export function exampleOf(name: string): Example {
  const example = EXAMPLES.find((one) => one.name === name);
  if (example !== undefined) return example;
  throw new ConfigError([
    `--example is "${name}": one of ${
      EXAMPLES.map((one) => one.name).join(", ")
    } is expected`,
  ]);
}
