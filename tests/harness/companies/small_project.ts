import { dirname, join } from "node:path";
import { MAINTAINED, type Model } from "../../../lib/project/model.ts";
import {
  type ProjectSql,
  readProjectSql,
} from "../../../lib/project/project_sql.ts";

/** A company of one test: what its folder `sql/` holds. */
export interface SmallProject {
  /** The contract; the source is made of it, if no other is given. */
  source: string;
  /** Each with its SQL, which gets the header that the rest says. */
  models: readonly (
    & Pick<Model, "name" | "key">
    & Partial<Omit<Model, "reads">>
    & { sql: string }
  )[];
  quarantine?: Readonly<Record<string, string>>;
  /** Tables of the warehouse, in place of those that follow from models. */
  warehouse?: string;
}

/** The columns of history that every table of a warehouse has. */
export const HISTORY_SQL =
  "valid_from timestamptz not null, valid_to timestamptz, " +
  "from_batch bigint not null, to_batch bigint";

/** A dimension and its closed versions; `columns` ends without a comma. */
export function dimensionSql(name: string, columns: string): string {
  return `create table ${name} (${columns}, valid_from timestamptz,
      valid_to timestamptz, from_batch bigint, to_batch bigint,
      is_placeholder boolean not null default false);
    create table ${name}_closed (${
    columns.replace(/ primary key/g, " not null")
  }, ${HISTORY_SQL});`;
}

/** Reads such a folder, as the pipeline reads it. */
export async function smallProject(project: SmallProject): Promise<ProjectSql> {
  const files: Record<string, string> = {
    "source.sql": project.source,
    ...project.warehouse === undefined
      ? {}
      : { "warehouse/0002_tables.sql": project.warehouse },
  };
  for (const model of project.models) {
    files[`models/${model.name}.sql`] = headerOf(model) + model.sql;
  }
  for (const [name, sql] of Object.entries(project.quarantine ?? {})) {
    files[`quarantine/${name}.sql`] = sql;
  }
  return await projectOf(files);
}

/** Reads a folder with these files, each a text by its path. */
export async function projectOf(
  files: Readonly<Record<string, string>>,
): Promise<ProjectSql> {
  const folder = await Deno.makeTempDir({ prefix: "totesys-project-" });
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
      await Deno.writeTextFile(join(folder, path), text);
    }
    return readProjectSql(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function headerOf(model: SmallProject["models"][number]): string {
  const {
    kind = "dimension",
    derivation = "row",
    key,
    times = [],
    recordId,
  } = model;
  const lines = [
    `Key: ${key.join(", ")}`,
    `Kind: ${kind}`,
    `Maintained: ${MAINTAINED[derivation]}`,
    `Times of day: ${times.join(", ")}`,
    ...recordId === undefined ? [] : [`Serial number: ${recordId}`],
  ];
  return lines.map((line) => `-- ${line}\n`).join("");
}
