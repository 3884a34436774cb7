import { join } from "node:path";
import { platformDirectory } from "../lib/platform_directory.ts";

const SAMPLE_EVERY_MS = 50;

/**
 * Runs a stage, or another entrypoint by its path, as a process and samples its
 * resident memory and its CPU time, in whole seconds.
 */
export async function measureStage(
  stage: string,
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<{ seconds: number; cpuSeconds: number; peakMb: number }> {
  const start = performance.now();
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      join(
        platformDirectory(),
        stage.endsWith(".ts") ? stage : `${stage}/main.ts`,
      ),
      ...args,
    ],
    env,
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  let running = true;
  let peakKb = 0;
  let cpuSeconds = 0;
  const sampling = (async () => {
    while (running) {
      const sample = await new Deno.Command("ps", {
        args: ["-o", "rss=,cputimes=", "-p", String(process.pid)],
      }).output();
      const [kb = 0, cpu = 0] = new TextDecoder().decode(sample.stdout).trim()
        .split(/\s+/).map(Number);
      peakKb = Math.max(peakKb, kb);
      cpuSeconds = Math.max(cpuSeconds, cpu);
      await new Promise((done) => setTimeout(done, SAMPLE_EVERY_MS));
    }
  })();
  const { success } = await process.status;
  const seconds = (performance.now() - start) / 1000;
  running = false;
  await sampling;
  if (!success) throw new Error(`${stage} failed`);
  return { seconds, cpuSeconds, peakMb: peakKb / 1000 };
}

/** A process's resident memory, in MB. */
export async function residentMb(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "rss=", "-p", String(pid)],
  }).output();
  return Math.round(Number(new TextDecoder().decode(stdout)) / 1000);
}
