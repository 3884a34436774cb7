import type { ServerUser } from "./server_user.ts";

const LOG_CHARACTERS_MAX = 10_000;
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 60_000;
/** A standby logs `read-only connections` (`read only` before version 14). */
const READY = /database system is ready to accept (read.only )?connections/;

/**
 * Runs the server and, when standard input ends, stops it (SIGINT: a fast
 * shutdown). Input ends with its writer, however that ends, so that a process
 * that was killed leaves no server behind.
 */
const GUARD = `
exec 3<&0 </dev/null
"$@" 3<&- & server=$!
{ cat <&3 >/dev/null; kill -INT $server; } 2>/dev/null &
exec 2>&- 3<&-
wait $server`;

/** A running server. */
export interface ServerProcess {
  /** Stops it and waits until it has ended; throws if it doesn't end. */
  stop(): Promise<void>;
}

/** The result of a start: a running server, or the log of a failed one. */
export type StartResult =
  | { ready: true; process: ServerProcess }
  | { ready: false; log: string };

/**
 * Starts a PostgreSQL server detached from this process's terminal (a Ctrl-C
 * there must not reach it before its clients have left) and waits until it
 * accepts connections.
 */
export async function startGuarded(
  command: string[],
  { user }: { user: ServerUser },
): Promise<StartResult> {
  const child = user.command(["/bin/sh", "-c", GUARD, "guard", ...command], {
    // Messages are searched for in English, and the server starts in a folder
    // that its user may enter.
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

/** Reads for as long as the server runs: a full pipe would block it. */
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
