import { TOTESYS } from "../harness/companies/company.ts";
import { SOURCE_SQL } from "../harness/platform.ts";
import { fillSmall } from "../harness/companies/small_source.ts";
import { SQL_DIRECTORY } from "../harness/companies/sql_directory.ts";
import { TOTESYS_TABLES } from "../harness/companies/written_tables.ts";
import type { SimulatedCompany } from "./simulated_company.ts";

/** Totesys, for the simulator. */
export const SIMULATED_TOTESYS: SimulatedCompany = {
  ...TOTESYS,
  sqlDirectory: SQL_DIRECTORY,
  fillSource: async (client) => {
    await client.query(SOURCE_SQL);
    await fillSmall(client);
  },
  written: TOTESYS_TABLES,
  migrated: [
    {
      name: "staff",
      column: "department_id",
      type: "integer",
      otherType: "bigint",
    },
    {
      name: "address",
      column: "phone",
      type: "text",
      otherType: "varchar",
    },
    {
      name: "sales_order",
      column: "units_sold",
      type: "integer",
      otherType: "bigint",
    },
    {
      name: "payment",
      column: "payment_amount",
      type: "numeric(15,2)",
      otherType: "numeric(20,4)",
    },
    {
      name: "design",
      column: "file_name",
      type: "text",
      otherType: "varchar",
    },
  ],
  troubles: [],
  relabel: [],
};
