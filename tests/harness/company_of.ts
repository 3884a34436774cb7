import { fileURLToPath } from "node:url";
import { parseContract } from "../../lib/contract.ts";
import { type ProjectSql, readProjectSql } from "../../lib/project_sql.ts";
import { PROJECT_SQL } from "./platform.ts";

const OTHER = readProjectSql(
  fileURLToPath(new URL("./other_company", import.meta.url)),
);

/** Its tables in a warehouse that is as ours beside them, with the views. */
export function besideOurs(tables: ProjectSql): ProjectSql {
  return {
    ...tables,
    migrations: PROJECT_SQL.migrations
      .filter(({ name }) => !name.includes("history_indexes"))
      .flatMap((file) =>
        file.name.includes("stars")
          ? tables.migrations.filter(({ name }) => name.includes("tables"))
          : [file]
      ),
  };
}

/**
 * The SQL of a company whose contract is this: each table becomes a fact of
 * its own with the same columns, in the warehouse `fact_<table>`, where the
 * types are those of the contract.
 */
export function companyOf(contract: string): ProjectSql {
  const tables = parseContract(contract);
  const [pipeline, other] = OTHER.migrations;
  if (pipeline === undefined || other === undefined) throw new Error("no SQL");
  const [quarantine = ""] =
    /^create table quarantine [\s\S]*?;/m.exec(other.text) ?? [];
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
    })),
    quarantine: new Map(),
    migrations: [
      pipeline,
      { name: "0002_tables", text: `${facts.join("\n")}\n${quarantine}` },
    ],
    checks: [],
    transformHash: contract,
  };
}
