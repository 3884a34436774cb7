import { join } from "node:path";
import { projectDirectory } from "../lib/project_directory.ts";

const SAMPLE_EVERY_MS = 50;

/** Runs a stage as a process and samples its resident memory. */
export async function measureStage(
  stage: string,
  env: Record<string, string>,
): Promise<{ seconds: number; peakMb: number }> {
  const start = performance.now();
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      join(projectDirectory(), `${stage}/main.ts`),
    ],
    env,
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  let running = true;
  let peakKb = 0;
  const sampling = (async () => {
    while (running) {
      const sample = await new Deno.Command("ps", {
        args: ["-o", "rss=", "-p", String(process.pid)],
      }).output();
      const kb = Number(new TextDecoder().decode(sample.stdout));
      peakKb = Math.max(peakKb, kb);
      await new Promise((done) => setTimeout(done, SAMPLE_EVERY_MS));
    }
  })();
  const { success } = await process.status;
  const seconds = (performance.now() - start) / 1000;
  running = false;
  await sampling;
  if (!success) throw new Error(`${stage} failed`);
  return { seconds, peakMb: peakKb / 1000 };
}
