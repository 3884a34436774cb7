import { exampleOf } from "../../demo/examples.ts";
import { parseContract } from "../../lib/project/contract.ts";
import { NORTHWIND } from "../examples/northwind.ts";
import { contractTables } from "../harness/companies/contract_tables.ts";
import type { SimulatedCompany } from "./simulated_company.ts";

const { files = [], sqlDirectory } = exampleOf("northwind");
const [SCHEMA = ""] = files.map((file) => Deno.readTextFileSync(file));
/** So many rows each table begins with. */
const ROWS = 6;
/** Employees to whom all report, whose keys no writer has. */
const BOSSES = [11, 12];
/** Writers delete and empty tables in any order. */
const DROP_FOREIGN_KEYS = `do $$
declare
  one record;
begin
  for one in
    select conrelid::regclass as of_table, conname from pg_constraint
    where contype = 'f'
  loop
    execute format('alter table %s drop constraint %I', one.of_table, one.conname);
  end loop;
end $$`;

const TABLES = contractTables(parseContract(SCHEMA), {
  refersTo: { ship_via: "shipper_id" },
  // Nobody reports to himself: a check of Northwind's would hold load back.
  byKey: { reports_to: (key) => `${BOSSES[0]} + ${key} % ${BOSSES.length}` },
  spoil: {
    order_details: (fresh) => `discount = 'NaN', unit_price = ${fresh} / 100.0`,
  },
});
const { fact_order_line: LINES, ...OTHERS } = NORTHWIND.models;

/** Northwind, for the simulator: its tables are written by their types. */
export const SIMULATED_NORTHWIND: SimulatedCompany = {
  ...NORTHWIND,
  models: {
    ...OTHERS,
    ...LINES === undefined ? {} : {
      fact_order_line: {
        ...LINES,
        quarantined: {
          table: "order_details",
          key: ["order_id", "product_id"],
        },
      },
    },
  },
  sqlDirectory,
  schema: "northwind",
  fillSource: async (client) => {
    await client.query(SCHEMA);
    await client.query(DROP_FOREIGN_KEYS);
    await client.query("set search_path = northwind");
    const rows = Array.from({ length: ROWS }, (_, index) => 1 + index);
    for (const { name, values } of TABLES) {
      for (const row of name === "employees" ? [...rows, ...BOSSES] : rows) {
        await client.query(`insert into ${name} values (${values(row, row)})`);
      }
    }
    await client.query(
      "insert into employee_territories values (1, '1'), (2, '1'), (2, '3')",
    );
  },
  written: TABLES,
  migrated: [
    {
      name: "orders",
      column: "freight",
      type: "numeric(10,2)",
      otherType: "numeric(20,4)",
    },
    {
      name: "order_details",
      column: "quantity",
      type: "smallint",
      otherType: "integer",
    },
    {
      name: "products",
      column: "quantity_per_unit",
      type: "varchar(20)",
      otherType: "text",
    },
    {
      name: "customers",
      column: "city",
      type: "varchar(15)",
      otherType: "text",
    },
    {
      name: "employees",
      column: "reports_to",
      type: "smallint",
      otherType: "integer",
    },
  ],
  troubles: [],
  relabel: [],
};
