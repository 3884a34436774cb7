import { counted } from "../../lib/counted.ts";
import type { IngestedTable } from "../../lib/batches/manifest.ts";
import { StageError } from "../../lib/errors.ts";
import { QUARANTINE } from "../../lib/project/quarantine_model.ts";
import {
  type BatchContent,
  type BatchWork,
  keepState,
  publishedSql,
  stateBefore,
} from "../batches/batch_work.ts";
import {
  openQuarantine,
  QUARANTINE_AFTER,
  QUARANTINE_BEFORE,
  QUARANTINE_TYPES,
  quarantineRows,
  quarantineStateSql,
} from "./quarantine.ts";
import { writeDifference } from "../files/write_versions.ts";

/** Handles rows that can't be read: some are set aside, others released. */
export async function makeQuarantine(
  work: BatchWork,
  options: {
    changed: ReadonlyMap<string, IngestedTable>;
    content: BatchContent;
  },
): Promise<void> {
  const { duckdb, processed, sql } = work;
  const { changed, content } = options;
  const published = await publishedSql(work, {
    changed,
    model: { ...QUARANTINE, reads: sql.tables.map((table) => table.name) },
    columns: QUARANTINE_TYPES,
  });
  await openQuarantine(
    duckdb,
    published ??
      quarantineStateSql(await stateBefore(work, QUARANTINE.name), processed),
  );
  content.quarantined = await quarantineRows(duckdb, work);
  await checkQuarantineSize(work, content.quarantined);
  const made = await writeDifference(work, {
    model: QUARANTINE,
    columns: QUARANTINE_TYPES,
    before: `from ${QUARANTINE_BEFORE}`,
    after: `from ${QUARANTINE_AFTER}`,
  });
  if (made === undefined) return;
  content.models[QUARANTINE.name] = made;
  await keepState(work, {
    name: QUARANTINE.name,
    select: `from ${QUARANTINE_AFTER} order by table_name, row_key`,
    content,
  });
}

async function checkQuarantineSize(
  work: BatchWork,
  quarantined: number,
): Promise<void> {
  const { name } = QUARANTINE;
  if (quarantined <= work.quarantineRowsMax) {
    work.held.delete(name);
    return;
  }
  const [first] = await work.duckdb.rows(
    `from ${QUARANTINE_AFTER} order by table_name, row_key limit 1`,
  );
  const error = new StageError(
    `Cannot read "${first?.table_name}": ${
      counted(quarantined, "rows")
    } would be in quarantine, more than the ${work.quarantineRowsMax} that are allowed; the first is ${first?.row_key}: ${first?.reason}`,
    {
      subject: first?.table_name ?? "",
      dataCheck: true,
      hint:
        "Repair the rows in the source, or raise QUARANTINE_ROWS_MAX, then run all stages again",
    },
  );
  work.held.set(name, { error, unread: new Set() });
}
