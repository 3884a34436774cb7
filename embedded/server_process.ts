import type { ServerUser } from "./server_user.ts";

const LOG_CHARACTERS_MAX = 10_000;
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 60_000;
/** A standby says `read-only connections` (`read only` before version 14). */
const READY = /database system is ready to accept (read.only )?connections/;

/**
 * Runs the server and, when standard input ends, tells it to stop (SIGINT: the
 * fast shutdown). Input ends when its writer does, however that came about, so
 * that no server is left behind by a process that was killed.
 */
const GUARD = `
exec 3<&0 </dev/null
"$@" 3<&- & server=$!
{ cat <&3 >/dev/null; kill -INT $server; } 2>/dev/null &
exec 2>&- 3<&-
wait $server`;

/** A server that is running. */
export interface ServerProcess {
  /** Stops it and waits until it has ended; throws when it does not. */
  stop(): Promise<void>;
}

/** How a start ended: a running server, or what one wrote that gave up. */
export type StartResult =
  | { ready: true; process: ServerProcess }
  | { ready: false; log: string };

/**
 * Starts a PostgreSQL server apart from this process's terminal (a Ctrl-C
 * there must not reach it before its clients have left) and waits until it
 * takes connections.
 */
export async function startGuarded(
  command: string[],
  { user }: { user: ServerUser },
): Promise<StartResult> {
  const child = user.command(["/bin/sh", "-c", GUARD, "guard", ...command], {
    // The server looks for messages in its own language, and starts in a
    // folder that its user may enter.
    env: { LC_ALL: "C" },
    cwd: "/",
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
    detached: true,
  }).spawn();
  const log = followLog(child.stderr);
  const stop = () => end(child, log.ended);
  const timer = Promise.withResolvers<"late">();
  const timeout = setTimeout(() => timer.resolve("late"), START_MS_MAX);
  const outcome = await Promise.race([
    log.ready.then(() => "ready" as const),
    log.ended.then(() => "ended" as const),
    timer.promise,
  ]);
  clearTimeout(timeout);
  if (outcome === "ready") return { ready: true, process: { stop } };
  await stop();
  return { ready: false, log: log.text() };
}

/** Reads on for the server's whole life: a full pipe would hold it up. */
function followLog(stderr: ReadableStream<Uint8Array>) {
  const ready = Promise.withResolvers<void>();
  let text = "";
  const ended = (async () => {
    for await (const piece of stderr.pipeThrough(new TextDecoderStream())) {
      text = (text + piece).slice(-LOG_CHARACTERS_MAX);
      if (READY.test(text)) ready.resolve();
    }
  })();
  return { ready: ready.promise, ended, text: () => text };
}

async function end(child: Deno.ChildProcess, logEnded: Promise<void>) {
  await child.stdin.close().catch(() => {});
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(
    () => timer.reject(new Error("Cannot stop PostgreSQL: it does not end")),
    STOP_MS_MAX,
  );
  try {
    await Promise.race([child.status, timer.promise]);
    await logEnded;
  } finally {
    clearTimeout(timeout);
  }
}
