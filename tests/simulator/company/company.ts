import { fileURLToPath } from "node:url";
import { readProjectSql } from "../../../lib/project/project_sql.ts";
import type { Company } from "../../harness/companies/company.ts";
import type { SimulatedCompany } from "../simulated_company.ts";
import { COMPANY_TABLES } from "./written_tables.ts";

const FOLDER = new URL("./", import.meta.url);
const LIVE_SQL = Deno.readTextFileSync(new URL("live.sql", FOLDER));
const SQL_DIRECTORY = fileURLToPath(FOLDER);
const OWN_SQL = readProjectSql(SQL_DIRECTORY);

/** The models, by another way than their own SQL. */
const MODELS: Company["models"] = {
  dim_device: {
    source: `select serial::text as serial, state::text as state,
      batch as device_batch from device where deleted_at is null`,
    columns: "serial, state, device_batch",
  },
  dim_tariff: {
    source: "select state::text as state, price from tariff",
    columns: "state, price",
  },
  dim_desk: {
    source: "select desk_id::text as desk_id, desk_number, place from desk",
    columns: "desk_id, desk_number, place",
  },
  dim_member: {
    source: `select member_id, badge, desk.desk_number, place from member
      left join desk on desk.desk_number = member.desk_number`,
    columns: "member_id, badge, desk_number, place",
  },
  dim_badge: {
    source: "select badge, member_id from member",
    columns: "badge, member_id",
  },
  fact_link: {
    source: "select lower_id, upper_id, weight from link",
    columns: "lower_id, upper_id, weight",
    keyLength: 2,
  },
  fact_visit: {
    source: "select visited_on, address::text as address, amount from visit",
    columns: "visited_on, address, amount",
    keyLength: 2,
    quarantined: { table: "visit", key: ["address", "visited_on"] },
  },
};

/**
 * A company beside Totesys: keys that are carried as text and keys of several
 * columns, soft deletes, an enum's labels, a partitioned table, joins over what
 * no constraint keeps from being null or there twice.
 */
export const OTHER_COMPANY: SimulatedCompany = {
  name: "the other company",
  sql: OWN_SQL,
  sqlDirectory: SQL_DIRECTORY,
  models: MODELS,
  truthColumns: new Set(),
  fillSource: async (client) => {
    await client.query(LIVE_SQL);
  },
  written: COMPANY_TABLES,
  migrated: [
    {
      name: "device",
      column: "serial",
      type: "numeric",
      otherType: "numeric(20,4)",
    },
    {
      name: "link",
      column: "weight",
      type: "integer",
      otherType: "bigint",
    },
    {
      name: "member",
      column: "badge",
      type: "text",
      otherType: "varchar",
    },
    {
      name: "desk",
      column: "desk_number",
      type: "integer",
      otherType: "bigint",
    },
    {
      name: "visit",
      column: "amount",
      type: "numeric(10,2)",
      otherType: "numeric(20,4)",
      partition: {
        name: "visit_2023",
        bounds: "for values from ('2023-01-01') to ('2024-01-01')",
      },
    },
  ],
  troubles: [
    (fresh) => ({
      what: "two desks with one number",
      make: `insert into desk select int4send(${fresh}), desk_number, 'twice'
        from member where desk_number is not null order by member_id limit 1`,
      repair: `delete from desk where desk_id = int4send(${fresh})`,
    }),
    (fresh) => ({
      what: "a badge that is null",
      make: `insert into member values (${fresh}, null, null)`,
      repair: `update member set badge = 'badge ${fresh}'
        where member_id = ${fresh}`,
    }),
    (fresh) => ({
      what: "a badge that is there twice",
      make: `insert into member select ${fresh}, null, badge from member
        where badge is not null order by member_id limit 1`,
      repair: `delete from member where member_id = ${fresh}`,
    }),
    (fresh) => ({
      what: "a key that is null",
      make: `alter table link drop constraint link_pkey,
          add constraint link_pkey unique (upper_id, lower_id);
        alter table link alter upper_id drop not null;
        insert into link values (null, 1, ${fresh})`,
      repair: `delete from link where upper_id is null;
        alter table link drop constraint link_pkey;
        alter table link
          add constraint link_pkey primary key (upper_id, lower_id)`,
    }),
  ],
  relabel: [
    (fresh) =>
      `do $$ begin
        execute format('alter type device_state rename value %L to %L', (
          select enumlabel from pg_enum
          where enumtypid = 'device_state'::regtype order by enumsortorder
          offset ${fresh} % (select count(*) from pg_enum
            where enumtypid = 'device_state'::regtype) limit 1
        ), 'label ${fresh}');
      end $$`,
    (fresh) => `alter type device_state add value 'label ${fresh}'`,
  ],
};
