import { type Company, TOTESYS } from "../companies/company.ts";
import { lakeState, openLake, type State } from "./oracle.ts";
import type { Platform } from "../platform.ts";

/**
 * Reads the lake at any moment, as an analyst does: the batch that it says it
 * is of, and what it holds. Undefined when it was replaced meanwhile.
 */
export async function readPublished(
  platform: Platform,
  company: Company = TOTESYS,
): Promise<{ batch: number; state: State } | undefined> {
  try {
    await using lake = await openLake(platform);
    const [about] = await lake.rows("from totes.lake.about");
    return {
      batch: Number(about?.batch),
      state: await lakeState(lake, { company }),
    };
  } catch (error) {
    // Replaced while it is read over HTTP: DuckDB mixes none, and says so.
    const isReplaced = error instanceof Error &&
      /this likely means the remote file has changed/.test(error.message);
    if (isReplaced) return undefined;
    throw error;
  }
}
