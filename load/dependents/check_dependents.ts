import { counted } from "../../lib/counted.ts";
import { StageError } from "../../lib/errors.ts";
import { serverName } from "../../lib/postgres/postgres.ts";
import { type Dependent, findDependents } from "./find_dependents.ts";
import { type Landed, type ReloadWork } from "../rows/land_rows.ts";
import { isDeletedSql } from "../rows/compare_rows.ts";
import { warehouseOf } from "../../lib/warehouse/warehouse_settings.ts";

/**
 * Throws a `StageError` that names the rows of others' tables that would be
 * deleted or changed with those removed here; where that is allowed, only warns
 * of them.
 */
export async function checkDependents(
  { context, client, allowCascade }: ReloadWork,
  landed: readonly Landed[],
): Promise<void> {
  const found: Dependent[] = [];
  for (const { reconciliation } of landed) {
    const { name: table } = reconciliation;
    found.push(
      ...await findDependents(client, {
        table,
        goes: isDeletedSql(reconciliation),
      }),
    );
  }
  if (found.length === 0) return;
  const dependents = found.map(({ table, action, rows }) =>
    `${table} (${action}): ${
      rows === undefined
        ? "rows that the loader's role may not read"
        : counted(rows, "rows")
    }`
  ).join(", ");
  if (allowCascade) {
    context.log.warn(
      "rows are deleted, and with them rows that refer to them in {dependents}",
      { dependents },
    );
    return;
  }
  const server = serverName(warehouseOf(context));
  throw new StageError(
    `Cannot reload ${server}: rows would be deleted, and with them rows that refer to them in ${dependents}`,
    {
      subject: server,
      hint:
        "Declare these references `deferrable initially deferred` without `on delete`, and they stay; or run it once with --allow-cascade to lose them",
    },
  );
}
