import { readReport, startProcess } from "./measured_process.ts";
import type { Sample } from "./measures.ts";

/**
 * Starts a dashboard and requests, as its first client, the figures of the
 * newest batch, those of the batch before, which are made from these, and the
 * pipeline; each only once, since the next request would be cached.
 */
export async function askDashboard(
  env: Readonly<Record<string, string>>,
  batches: number,
): Promise<(Sample & { what: string })[]> {
  const report = await Deno.makeTempFile({ prefix: "totesys-bench-" });
  const process = startProcess(["visualise/main.ts"], { env, report });
  const samples: (Sample & { what: string })[] = [];
  try {
    const address = await addressOf(process);
    for (
      const [what, path] of [
        ["dashboard: the first figures", `api/overview/${batches}`],
        ["dashboard: figures of the next", `api/overview/${batches - 1}`],
        ["dashboard: the pipeline", "api/pipeline"],
        ["dashboard: a batch", `api/batches/${batches}`],
        ["dashboard: changes", `api/changes/${batches - 5}`],
      ] as const
    ) {
      const began = performance.now();
      const answer = await fetch(address + path);
      const { length } = await answer.bytes();
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      const seconds = (performance.now() - began) / 1000;
      samples.push({ what, seconds, bytes: length });
    }
  } finally {
    process.kill("SIGTERM");
    await process.status;
  }
  const { peakMb } = await readReport(report);
  await Deno.remove(report);
  return [...samples, { what: "dashboard: all of it", seconds: 0, peakMb }];
}

/** Reads the address that it listens on; ignores its later output. */
async function addressOf(process: Deno.ChildProcess): Promise<string> {
  let said = "";
  const text = process.stdout.pipeThrough(new TextDecoderStream());
  for await (const piece of text.values({ preventCancel: true })) {
    said += piece;
    const [address] = /http:\/\/[\d.:]+\//.exec(said) ?? [];
    if (address !== undefined) return address;
  }
  throw new Error(`the dashboard ended: ${said}`);
}
