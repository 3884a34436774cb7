import type { Logger } from "@logtape/logtape";
import type { Engine } from "../../lib/engine.ts";

/** An engine, open for one batch. */
export interface BatchEngine {
  runner: Engine;
  log: Logger;
  /** Whether the lake's readers can read the files that it writes. */
  commitsFiles: boolean;
  /** The tables that it can read, as `schema.table`. */
  shown: Set<string>;
  /** Folders of the zone that nobody needs after the batch. */
  folders: string[];
}
