/**
 * Loaded before an entrypoint (`deno run --preload`), it counts the process's
 * calls to its zones, and at the end writes them, with its peak memory, to the
 * file that `BENCH_REPORT` names. DuckDB's own reads and writes are not
 * included.
 */
import process from "node:process";
import { DirectoryZone } from "../../lib/zone/directory_zone.ts";
import { S3Zone } from "../../lib/zone/s3_zone.ts";
import type { Zone } from "../../lib/zone/zone.ts";

/** What a process did, written at its end. */
export interface ProcessReport {
  /** Calls to zones. */
  calls: number;
  /** Names read from folders. */
  names: number;
  /** Bytes read from zones or written to them. */
  bytes: number;
  peakMb: number;
  cpuSeconds: number;
}

const FREE = ["locate", "close", "constructor"];
const STATUS_BYTES_MAX = 8192;
const counted = { calls: 0, names: 0, bytes: 0 };

for (const { prototype } of [DirectoryZone, S3Zone]) {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const { value } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
    if (typeof value !== "function" || FREE.includes(name)) continue;
    Object.defineProperty(prototype, name, {
      value(this: Zone, ...args: unknown[]) {
        counted.calls++;
        return counting(value.apply(this, args), args[1]);
      },
    });
  }
}

const { readDir } = Deno;
Deno.readDir = async function* (path) {
  for await (const entry of readDir(path)) {
    counted.names++;
    yield entry;
  }
};

// Opened now, since a command may give up its permission to write, and with it
// the permission to read here.
const report = openFile(Deno.env.get("BENCH_REPORT"), { write: true });
const status = openFile("/proc/self/status", { read: true });
globalThis.addEventListener("unload", () => {
  const { user, system } = process.cpuUsage();
  const taken: ProcessReport = {
    ...counted,
    peakMb: peakKb() / 1000,
    cpuSeconds: (user + system) / 1e6,
  };
  report?.writeSync(new TextEncoder().encode(JSON.stringify(taken)));
});

/** The peak memory; on Linux `maxRSS` includes that of the parent process. */
function peakKb(): number {
  const text = new Uint8Array(STATUS_BYTES_MAX);
  const length = status?.readSync(text) ?? 0;
  const [, kb] = /VmHWM:\s*(\d+)/.exec(
    new TextDecoder().decode(text.subarray(0, length)),
  ) ?? [];
  return kb === undefined ? process.resourceUsage().maxRSS : Number(kb);
}

function openFile(
  path: string | undefined,
  options: Deno.OpenOptions,
): Deno.FsFile | undefined {
  try {
    return path === undefined ? undefined : Deno.openSync(path, options);
  } catch {
    return undefined;
  }
}

/** Passes on a call's result, and counts its bytes, even if they stream. */
function counting(answer: unknown, given: unknown): unknown {
  if (given instanceof Uint8Array) counted.bytes += given.length;
  if (!(answer instanceof Promise)) return answer;
  return answer.then((value) => {
    if (typeof value === "number") counted.bytes += value;
    if (value instanceof Uint8Array) counted.bytes += value.length;
    if (value?.bytes instanceof Uint8Array) counted.bytes += value.bytes.length;
    return value?.[Symbol.asyncIterator] === undefined ? value : pieces(value);
  });
}

async function* pieces(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) {
    counted.bytes += piece.length;
    yield piece;
  }
}
