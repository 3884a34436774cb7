import type { ProjectSql } from "../../../lib/project/project_sql.ts";
import { dimensionSql, HISTORY_SQL, smallProject } from "./small_project.ts";

/** The source of a company that sells in shops. */
export const SALE_SOURCE = `create table sale (
    sale_id integer not null,
    units integer not null,
    shop_id integer not null,
    primary key (sale_id)
);
create table shop (
    shop_id integer not null,
    name text not null,
    primary key (shop_id)
);`;

/** Its SQL: a fact that is made by row, and a dimension that is a join. */
export function saleProject(): Promise<ProjectSql> {
  return smallProject({
    source: SALE_SOURCE,
    models: [
      {
        name: "dim_shop",
        key: ["shop_id"],
        derivation: "join",
        sql: "select shop_id, name from current.shop",
      },
      {
        name: "fact_sale",
        kind: "fact",
        key: ["sale_id"],
        recordId: "sale_record_id",
        sql: "select sale_id, units, shop_id from changed.sale",
      },
    ],
    warehouse: `${
      dimensionSql("dim_shop", "shop_id integer primary key, name text")
    }
      create table fact_sale (sale_record_id bigint primary key,
        sale_id integer not null, units integer, shop_id integer,
        ${HISTORY_SQL});`,
  });
}

/** Makes the shop exist under this name. */
export function nameShop(name: string): string {
  return `insert into shop values (1, '${name}') on conflict (shop_id)
    do update set name = excluded.name`;
}
