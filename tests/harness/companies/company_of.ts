import { parseContract } from "../../../lib/project/contract.ts";
import type { ProjectSql } from "../../../lib/project/project_sql.ts";
import type { TableHeader } from "../../../lib/project/table_header.ts";

/** For a model whose header says nothing about its table. */
export const NO_TABLE_HEADER: TableHeader = {
  meaning: "",
  meanings: new Map(),
  references: new Map(),
  notNull: [],
};

/**
 * The SQL of a company whose contract is this: each table becomes a fact of
 * its own with the same columns, in the warehouse `fact_<table>`, where the
 * types are those of the contract.
 */
export function companyOf(contract: string): ProjectSql {
  const tables = parseContract(contract);
  const facts = tables.map(({ name, columns }) =>
    `create table fact_${name} (
      ${name}_record_id bigint primary key,
      ${
      columns.map(({ name: column, type }) =>
        `${column} ${
          type.name === "numeric"
            ? `numeric(${type.precision},${type.scale})`
            : type.name
        }`
      ).join(", ")
    },
      valid_from timestamptz not null, valid_to timestamptz,
      from_batch bigint not null, to_batch bigint);`
  );
  return {
    tables,
    models: tables.map(({ name, key, columns }) => ({
      name: `fact_${name}`,
      kind: "fact",
      derivation: "row",
      key: [...key],
      reads: [name],
      times: [],
      recordId: `${name}_record_id`,
      sql: `select ${
        columns.map((column) => column.name).join(", ")
      } from changed.${name}`,
      table: NO_TABLE_HEADER,
    })),
    quarantine: new Map(),
    migrations: [{ name: "0002_tables", text: facts.join("\n") }],
    checks: [],
    dashboard: [],
    dashboardSettings: undefined,
    transformHash: contract,
    earlierHashes: [],
  };
}
