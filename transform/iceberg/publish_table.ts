import type { Logger } from "@logtape/logtape";
import { readGeneration } from "../../lib/batches/generation.ts";
import { messageOf, StageError } from "../../lib/errors.ts";
import type { ShownMetadata } from "../../lib/iceberg/table_catalogue.ts";
import {
  createVersion,
  readTableMetadata,
  type StoredTable,
  tableFolder,
  uriOf,
  versionKey,
  writeHint,
} from "../../lib/iceberg/table_metadata.ts";
import { type NextVersion, nextVersion } from "./next_metadata.ts";
import { shownBatch, type TableState } from "./next_snapshots.ts";

const ATTEMPTS_MAX = 5;

/** A table to publish, and a hash of its state. */
export interface Table extends TableState {
  name: string;
  hash: string;
  /** SQL for its views. */
  views: string;
}

/**
 * Brings one table to its state, and gives that, unless another run has brought
 * it further.
 */
export async function publishTable(
  table: Table,
  { log }: { log: Logger },
): Promise<ShownMetadata | undefined> {
  const { zone, name, newest, generation } = table;
  const folder = tableFolder(name);
  let after: number | undefined;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const stored = await readTableMetadata(
      zone,
      folder,
      after === undefined ? {} : { after },
    );
    const version = stored?.version ?? 0;
    const shown = stored?.metadata && shownBatch(stored.metadata);
    const isPast = shown?.generation === generation
      ? shown.batch > newest.batch
      // A run that began before the zone was rebuilt has nothing to publish.
      : (await readGeneration(zone)).id !== generation;
    if (isPast) return undefined;
    const next = await tryNext(table, { stored, log });
    if (next === undefined) {
      // A run that was killed left the hint behind.
      if (stored !== undefined && stored.hint !== version) {
        await writeHint(zone, folder, version);
      }
      return shownOf(table, stored);
    }
    await Promise.all(
      next.written.map(({ key, content }) => zone.create(key, content)),
    );
    const made = { version: version + 1, metadata: next.metadata };
    if (await createVersion(zone, folder, made)) return shownOf(table, made);
    after = version + 1;
  }
  throw new StageError(
    `Cannot publish the Iceberg table "${name}": other runs came first ${ATTEMPTS_MAX} times`,
    { subject: name, retryable: true, hint: "The next run publishes it" },
  );
}

/** The newest version of a table; undefined if it can't be read. */
export async function newestMetadata(
  table: Table,
): Promise<ShownMetadata | undefined> {
  const stored = await readTableMetadata(table.zone, tableFolder(table.name));
  return shownOf(table, stored);
}

/** A version of a table, as a catalogue is to show it. */
function shownOf(
  { zone, name }: Table,
  version: Pick<StoredTable, "version" | "metadata"> | undefined,
): ShownMetadata | undefined {
  return version?.metadata && {
    metadata: version.metadata,
    uri: uriOf(zone, versionKey(tableFolder(name), version.version)),
  };
}

/** The next version; if the stored one is damaged, the table begins again. */
async function tryNext(
  table: Table,
  { stored, log }: { stored: StoredTable | undefined; log: Logger },
): Promise<NextVersion | undefined> {
  try {
    return await nextVersion(table, stored);
  } catch (error) {
    if (error instanceof StageError || stored?.metadata === undefined) {
      throw error;
    }
    log.warn(
      "the Iceberg table {name} can't be read and begins again: {reason}",
      {
        name: table.name,
        reason: messageOf(error),
      },
    );
    const { metadata: { location: _, ...metadata }, ...rest } = stored;
    return await nextVersion(table, {
      ...rest,
      metadata: { ...metadata, location: "" },
    });
  }
}
