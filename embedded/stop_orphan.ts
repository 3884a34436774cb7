import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { StageError } from "../lib/errors.ts";

const CHECKS_MAX = 600;
const CHECK_MS = 100;

/**
 * Stops (a fast shutdown) the PostgreSQL server that runs on a data folder, if
 * there is one, left by a demo that was killed together with its guard. The
 * caller must hold the folder's lock. Throws a `StageError` if the server
 * doesn't end.
 */
export async function stopOrphan(dataDir: string): Promise<void> {
  const pid = await postmasterPid(dataDir);
  if (pid === undefined || !await runsOn(pid, dataDir)) return;
  Deno.kill(pid, "SIGINT");
  for (let checks = 0; checks < CHECKS_MAX; checks++) {
    if (!await runsOn(pid, dataDir)) return;
    await delay(CHECK_MS);
  }
  throw new StageError(
    `Cannot stop PostgreSQL on "${dataDir}": process ${pid}, left by an ` +
      "earlier demo, does not end",
    { subject: dataDir, hint: `End it yourself: kill -QUIT ${pid}` },
  );
}

async function postmasterPid(dataDir: string): Promise<number | undefined> {
  try {
    const text = await Deno.readTextFile(join(dataDir, "postmaster.pid"));
    const pid = Number(text.split("\n")[0]);
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Checks the command: the file may outlive its server, and ids are reused. */
async function runsOn(pid: number, dataDir: string): Promise<boolean> {
  const command = await commandOf(pid);
  return /postgres\b/.test(command) && command.includes(`-D ${dataDir} `);
}

/** The command line of a process; empty if it has ended. */
async function commandOf(pid: number): Promise<string> {
  if (Deno.build.os !== "linux") {
    const { stdout } = await new Deno.Command("ps", {
      args: ["-ww", "-o", "command=", "-p", String(pid)],
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  }
  try {
    const text = await Deno.readTextFile(`/proc/${pid}/cmdline`);
    return text.replaceAll("\0", " ");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
