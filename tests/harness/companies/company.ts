import type { ProjectSql } from "../../../lib/project/project_sql.ts";
import { PROJECT_SQL } from "../platform.ts";

/** A model's content, straight from the source. */
export interface Expectation {
  /** The same rows by another way than the model's, in Postgres's own SQL. */
  source: string;
  /** The columns by which it is compared; the key's are the first. */
  columns: string;
  /** Of how many columns the key is; of one, where it isn't said. */
  keyLength?: number;
  /** The source table whose rows may be unreadable, by the key's columns. */
  quarantined?: { table: string; key: readonly string[] };
}

/** What an oracle has to know of whose tables these are. */
export interface Company {
  name: string;
  sql: ProjectSql;
  models: Readonly<Record<string, Expectation>>;
  /** A model of the dates that facts name, which only ever grows. */
  calendar?: string;
  /** Columns of truth values, which the engines write differently. */
  truthColumns: ReadonlySet<string>;
}

const STAMPS = `created_at::date as created_date,
  created_at::time as created_time, last_updated::date as last_updated_date,
  last_updated::time as last_updated_time`;
const STAMP_COLUMNS =
  "created_date, created_time, last_updated_date, last_updated_time";

const MODELS: Company["models"] = {
  fact_sales_order: {
    source: `select *, ${STAMPS}, staff_id as sales_staff_id from sales_order`,
    columns: `sales_order_id, ${STAMP_COLUMNS}, sales_staff_id, counterparty_id,
      units_sold, unit_price, currency_id, design_id, agreed_payment_date,
      agreed_delivery_date, agreed_delivery_location_id`,
    quarantined: { table: "sales_order", key: ["sales_order_id"] },
  },
  fact_purchase_order: {
    source: `select *, ${STAMPS} from purchase_order`,
    columns: `purchase_order_id, ${STAMP_COLUMNS}, staff_id, counterparty_id,
      item_code, item_quantity, item_unit_price, currency_id,
      agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id`,
    quarantined: { table: "purchase_order", key: ["purchase_order_id"] },
  },
  fact_payment: {
    source: `select *, ${STAMPS} from payment`,
    columns: `payment_id, ${STAMP_COLUMNS}, transaction_id, counterparty_id,
      payment_amount, currency_id, payment_type_id, paid, payment_date`,
    quarantined: { table: "payment", key: ["payment_id"] },
  },
  dim_staff: {
    source: "select * from staff left join department using (department_id)",
    columns: `staff_id, first_name, last_name, department_name, location,
      email_address`,
  },
  dim_location: {
    source: "select *, address_id as location_id from address",
    columns: `location_id, address_line_1, address_line_2, district, city,
      postal_code, country, phone`,
  },
  dim_counterparty: {
    source: `select counterparty.*,
      address_line_1 as counterparty_legal_address_line_1,
      address_line_2 as counterparty_legal_address_line_2,
      district as counterparty_legal_district,
      city as counterparty_legal_city,
      postal_code as counterparty_legal_postal_code,
      country as counterparty_legal_country,
      phone as counterparty_legal_phone_number
      from counterparty left join address on address_id = legal_address_id`,
    columns: `counterparty_id, counterparty_legal_name,
      counterparty_legal_address_line_1, counterparty_legal_address_line_2,
      counterparty_legal_district, counterparty_legal_city,
      counterparty_legal_postal_code, counterparty_legal_country,
      counterparty_legal_phone_number`,
  },
  dim_currency: {
    source: `select *, case currency_code when 'GBP' then 'British Pound'
      when 'USD' then 'US Dollar' when 'EUR' then 'Euro' else currency_code end
      as currency_name from currency`,
    columns: "currency_id, currency_code, currency_name",
  },
  dim_design: {
    source: "select * from design",
    columns: "design_id, design_name, file_location, file_name",
  },
  dim_transaction: {
    source: "select * from transaction",
    columns:
      "transaction_id, transaction_type, sales_order_id, purchase_order_id",
  },
  dim_payment_type: {
    source: "select * from payment_type",
    columns: "payment_type_id, payment_type_name",
  },
};

/** The company that the tests run on, and that ships as the project's `sql/`. */
export const TOTESYS: Company = {
  name: "Totesys",
  sql: PROJECT_SQL,
  models: MODELS,
  calendar: "dim_date",
  truthColumns: new Set(["paid"]),
};
