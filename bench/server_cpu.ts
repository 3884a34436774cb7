import { join } from "node:path";

/** Of Linux, in which /proc counts. */
const TICKS_PER_SECOND = 100;

/**
 * The CPU seconds of the sessions of a Postgres server that have ended; not a
 * number where there is no /proc.
 */
export async function serverCpuSeconds(
  dataDir: string,
): Promise<number> {
  const pidFile = join(dataDir, "postmaster.pid");
  const [pid] = (await Deno.readTextFile(pidFile)).split("\n");
  // Deno itself reads there only with all permissions.
  const { success, stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/stat`],
  }).output();
  if (!success) return Number.NaN;
  const stat = new TextDecoder().decode(stdout);
  // The fields after the name, which stands in brackets, begin with the third.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).map(Number);
  return ticks.reduce((sum, one) => sum + one) / TICKS_PER_SECOND;
}
