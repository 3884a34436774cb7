import { formatBytes } from "../lib/cli/progress.ts";
import { StageError } from "../lib/errors.ts";
import type { StageContext } from "../lib/stage.ts";
import type { TableRead } from "./read_table.ts";
import { sum } from "../lib/batches/sum.ts";

/** How fast a processor reads tables whole; see docs/deploy.md. */
const BYTES_PER_SECOND = 25_000_000;
/** More than this many were not measured. */
const PROCESSORS_MAX = 2;

/**
 * Throws a `StageError` when the tables to be read whole need more time than is
 * left: such a run would be cut off every time.
 */
export function checkTime(
  reads: readonly TableRead[],
  { deadline, processors = 1, clock }: Pick<
    StageContext,
    "deadline" | "processors" | "clock"
  >,
): void {
  if (deadline === undefined) return;
  const parts = reads.filter(({ fullRead }) => fullRead !== undefined)
    .flatMap(({ table }) => table.parts);
  const bytes = sum(parts, "bytes");
  const seconds = bytes /
    (BYTES_PER_SECOND * Math.min(processors, PROCESSORS_MAX));
  const left = (deadline.getTime() - clock().getTime()) / 1000;
  if (seconds <= left) return;
  throw new StageError(
    `Cannot read ${formatBytes(bytes)} of the source in ${
      Math.max(0, Math.floor(left))
    } s: it takes about ${Math.ceil(seconds)} s`,
    {
      subject: "source",
      hint:
        "Run `./totesys pipeline` once on the same zones, from a machine that can reach the databases: docs/deploy.md",
    },
  );
}
