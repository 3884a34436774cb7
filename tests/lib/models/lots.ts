import assert from "node:assert/strict";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { StageError } from "../../../lib/errors.ts";
import type { ProjectSql } from "../../../lib/project/project_sql.ts";
import { readConfig } from "../../../lib/settings/config.ts";
import { registerModels } from "../../../lib/models/register_models.ts";
import {
  type SmallProject,
  smallProject,
} from "../../harness/companies/small_project.ts";

export const SOURCE = `create table lot (
    lot_id integer not null,
    part integer not null,
    batch text,
    note text,
    price numeric(10,2),
    seen timestamp,
    primary key (lot_id, part)
);
create table place (
    place_id integer not null,
    city text,
    primary key (place_id)
);
`;
export const KEY = ["lot_id", "part"];

export async function prepareAll(sql: ProjectSql) {
  await using duckdb = await openDuckDb(readConfig(() => undefined, []), {
    zones: [],
  });
  return await registerModels(duckdb, sql);
}

export function lots(
  sql: string,
  more: Partial<SmallProject["models"][0]> = {},
) {
  return smallProject({
    source: SOURCE,
    models: [{ name: "dim_lot", key: KEY, sql, ...more }],
  });
}

export async function assertRefused(
  sql: Promise<ProjectSql>,
  message: RegExp,
): Promise<void> {
  const project = await sql;
  const text = project.models[0]?.sql ?? "";
  try {
    await prepareAll(project);
  } catch (error) {
    assert.ok(error instanceof StageError, String(error));
    assert.match(error.message, /^Cannot use sql\/(models|quarantine)\//);
    assert.match(error.message, message, text);
    assert.ok(error.hint !== undefined);
    return;
  }
  assert.fail(`not refused: ${text}`);
}
