import {
  type DuckDBConnection,
  DuckDBInstance,
  type Json,
} from "@duckdb/node-api";
import { join } from "node:path";
import { SQL_DIRECTORY } from "../harness/companies/sql_directory.ts";

/** A row by column; what is left out is taken from the table's usual row. */
export type Row = Record<string, string | null>;

const ROWS_MAX = 1000;

/** DuckDB with the contract's tables in schemas, as the transform has them. */
export class StageDatabase implements AsyncDisposable {
  readonly #instance: DuckDBInstance;
  readonly connection: DuckDBConnection;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.connection = connection;
  }

  /** Opens it in memory, each schema holding all tables of the contract. */
  static async open(...schemas: string[]): Promise<StageDatabase> {
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    for (const schema of schemas) {
      await connection.run(`create schema "${schema}"`);
      await connection.run(`use memory."${schema}"`);
      await connection.run(readSql("source.sql"));
    }
    await connection.run("use memory.main");
    return new StageDatabase(instance, connection);
  }

  /** Adds rows to a table, DuckDB reading each value's text. */
  async insert(table: string, ...rows: Row[]): Promise<void> {
    for (const row of rows.slice(0, ROWS_MAX)) {
      const full: Row = { ...usualRow(table), ...row };
      const columns = Object.keys(full);
      const marks = columns.map((_, index) => `$${index + 1}`);
      await this.connection.run(
        `insert into ${table} (${columns.join(", ")}) values (${marks})`,
        Object.values(full),
      );
    }
  }

  /** Runs a file of the company's folder; decimals, dates and times come as text. */
  async rows(path: string, orderBy: string): Promise<Record<string, Json>[]> {
    const result = await this.connection.runAndReadAll(
      `select * from (${readSql(path)}) as result order by ${orderBy}`,
    );
    return result.getRowObjectsJson();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.closeSync();
    this.#instance.closeSync();
    await Promise.resolve();
  }
}

/** Reads a file of the company's folder. */
export function readSql(path: string): string {
  return Deno.readTextFileSync(join(SQL_DIRECTORY, path));
}

const STAMPS = {
  created_at: "2022-11-03 14:20:52.186",
  last_updated: "2022-11-03 14:20:52.186",
};

const ORDER = {
  ...STAMPS,
  staff_id: "13",
  counterparty_id: "18",
  currency_id: "3",
  agreed_delivery_date: "2022-11-10",
  agreed_payment_date: "2022-11-03",
  agreed_delivery_location_id: "4",
};

const USUAL_ROWS: Record<string, Row> = {
  address: {
    ...STAMPS,
    address_id: "1",
    address_line_1: "6826 Herzog Via",
    address_line_2: null,
    district: "Avon",
    city: "New Patienceburgh",
    postal_code: "28441",
    country: "Turkey",
    phone: "1803 637401",
  },
  counterparty: {
    ...STAMPS,
    counterparty_id: "1",
    counterparty_legal_name: "Fahey and Sons",
    legal_address_id: "1",
    commercial_contact: null,
    delivery_contact: null,
  },
  currency: { ...STAMPS, currency_id: "1", currency_code: "GBP" },
  department: {
    ...STAMPS,
    department_id: "1",
    department_name: "Sales",
    location: "Manchester",
    manager: "Richard Roma",
  },
  design: {
    ...STAMPS,
    design_id: "1",
    design_name: "Wooden",
    file_location: "/lib",
    file_name: "wooden-20201128-jdvi.json",
  },
  payment: {
    ...STAMPS,
    payment_id: "1",
    transaction_id: "1",
    counterparty_id: "17",
    payment_amount: "56925.44",
    currency_id: "2",
    payment_type_id: "3",
    paid: "true",
    payment_date: "2022-11-07",
    company_ac_number: "52923196",
    counterparty_ac_number: "32957646",
  },
  payment_type: {
    ...STAMPS,
    payment_type_id: "1",
    payment_type_name: "SALES_RECEIPT",
  },
  purchase_order: {
    ...ORDER,
    purchase_order_id: "1",
    item_code: "ZDOI5EA",
    item_quantity: "371",
    item_unit_price: "361.39",
  },
  sales_order: {
    ...ORDER,
    sales_order_id: "1",
    design_id: "9",
    units_sold: "84754",
    unit_price: "2.43",
  },
  staff: {
    ...STAMPS,
    staff_id: "1",
    first_name: "Jeremie",
    last_name: "Franey",
    department_id: "1",
    email_address: "jeremie.franey@terrifictotes.com",
  },
  transaction: {
    ...STAMPS,
    transaction_id: "1",
    transaction_type: "PURCHASE",
    sales_order_id: null,
    purchase_order_id: "2",
  },
};

function usualRow(table: string): Row {
  const name = table.split(".").at(-1) ?? table;
  const row = USUAL_ROWS[name];
  if (row === undefined) throw new Error(`No usual row of ${name}`);
  return row;
}
