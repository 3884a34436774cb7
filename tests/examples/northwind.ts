import type { Client } from "pg";
import { exampleOf } from "../../demo/examples.ts";
import { fillSource } from "../../demo/fill.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import type { Company } from "../harness/companies/company.ts";

const EXAMPLE = exampleOf("northwind");

/** The example's models, by another way than their own SQL. */
export const NORTHWIND: Company = {
  name: "Northwind",
  sql: readProjectSql(EXAMPLE.sqlDirectory),
  models: {
    dim_customer: {
      // Text has no blanks that a char is filled up with.
      source: `select customer_id::text as customer_id, company_name, city,
          region, postal_code, country
        from northwind.customers`,
      columns: "customer_id, company_name, city, region, postal_code, country",
    },
    dim_employee: {
      source: `select *, (
          select concat_ws(' ', boss.first_name, boss.last_name)
          from northwind.employees as boss
          where boss.employee_id = employees.reports_to
        ) as manager_name
        from northwind.employees`,
      columns: `employee_id, first_name, last_name, title, hire_date, city,
        country, reports_to, manager_name`,
    },
    dim_product: {
      source: `select products.*, unit_price as list_price,
          discontinued as is_discontinued, category_name,
          suppliers.company_name as supplier_name,
          suppliers.country as supplier_country
        from northwind.products
        left join northwind.categories using (category_id)
        left join northwind.suppliers using (supplier_id)`,
      columns: `product_id, product_name, quantity_per_unit, list_price,
        is_discontinued, category_name, supplier_name, supplier_country`,
    },
    dim_shipper: {
      source: `select *, company_name as shipper_name from northwind.shippers`,
      columns: "shipper_id, shipper_name",
    },
    dim_territory: {
      source: `select *, territory_description as territory_name,
          region_description as region_name
        from northwind.territories
        left join northwind.region using (region_id)`,
      columns: "territory_id, territory_name, region_name",
    },
    fact_order: {
      source: `select order_id, customer_id::text as customer_id, employee_id,
          ship_via as shipper_id, order_date, required_date, shipped_date,
          freight, ship_city, ship_country
        from northwind.orders`,
      columns: `order_id, customer_id, employee_id, shipper_id, order_date,
        required_date, shipped_date, freight, ship_city, ship_country`,
    },
    fact_order_line: {
      source:
        `select order_id, product_id, unit_price, quantity, share as discount,
          round(unit_price * quantity * (1 - share), 2) as net_amount
        from northwind.order_details
        cross join lateral cast(discount::text as numeric(5, 4)) as share`,
      columns: `order_id, product_id, unit_price, quantity, discount,
        net_amount`,
      keyLength: 2,
    },
    fact_territory_cover: {
      source: "select * from northwind.employee_territories",
      columns: "employee_id, territory_id",
      keyLength: 2,
    },
  },
  truthColumns: new Set(["is_discontinued"]),
};

/** Makes and fills Northwind's own database. */
export function fillNorthwind(
  client: Client,
  orders = 120,
  weeksLater = 0,
): Promise<void> {
  const { files } = EXAMPLE;
  return fillSource(client, {
    seed: 1,
    salesOrders: orders,
    weeksLater,
    files: files ?? [],
  });
}
