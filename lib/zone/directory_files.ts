import { basename, dirname, join } from "node:path";
import { messageOf, StageError } from "../errors.ts";
import { unlockAndClose } from "../file_lock.ts";

const LOCK_FILE = ".lock";
const LOCK_WAIT_MS = 30_000;
const LOCK_RETRY_MS = 5;

/** Writes a file beside its place in a zone, synced to disk; returns its path. */
export async function writeTemporary(
  zone: string,
  path: string,
  content: Uint8Array,
): Promise<string> {
  await makeFolder(zone, dirname(path));
  const temporary = join(
    dirname(path),
    `.${basename(path)}.${crypto.randomUUID()}`,
  );
  using file = await Deno.open(temporary, { write: true, createNew: true });
  try {
    await writeAll(file, content);
    await file.sync();
  } catch (error) {
    await Deno.remove(temporary);
    throw error;
  }
  return temporary;
}

/** A file system without hard links answers so for a file just made there. */
const NO_LINKS: readonly string[] = [
  "EPERM",
  "EOPNOTSUPP",
  "ENOTSUP",
  "ENOSYS",
];

/** Gives a file a second name; false if something has that name. */
export async function linkNew(file: string, name: string): Promise<boolean> {
  try {
    await Deno.link(file, name);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    if (!NO_LINKS.includes(codeOf(error))) throw error;
    throw Object.assign(
      new Error("its file system has no hard links", { cause: error }),
      { code: "ENOLINKS" },
    );
  }
}

/**
 * Makes a folder of a zone, and the zone's own, but nothing above it: a disk
 * that isn't mounted must not be taken for an empty zone. A new folder is synced
 * to disk with all folders above it.
 */
export async function makeFolder(zone: string, folder: string): Promise<void> {
  if (await unlessMissing(() => Deno.stat(folder)) !== undefined) return;
  if (await unlessMissing(() => Deno.stat(zone)) === undefined) {
    await unlessPresent(() => Deno.mkdir(zone));
  }
  await Deno.mkdir(folder, { recursive: true });
  for (let above = folder; above !== zone; above = dirname(above)) {
    await syncFolder(above);
  }
  await syncFolder(zone);
  await syncFolder(dirname(zone));
}

/** Holds a zone's lock until it is disposed of. */
export async function lockZone(zone: string): Promise<Disposable> {
  const file = await Deno.open(join(zone, LOCK_FILE), {
    write: true,
    create: true,
  });
  const deadline = performance.now() + LOCK_WAIT_MS;
  while (!await file.tryLock(true)) {
    if (performance.now() > deadline) {
      file.close();
      throw new Error(`${LOCK_FILE} was held for ${LOCK_WAIT_MS} ms`);
    }
    await new Promise((wake) => setTimeout(wake, LOCK_RETRY_MS));
  }
  return unlockAndClose(file);
}

/** The result of some work on a file; undefined when there is none. */
export async function unlessMissing<T>(
  work: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Does some work, unless its file is there already. */
async function unlessPresent(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/** Names a file's content: it never occurs twice, see `makeLater`. */
export function etagOf(info: Deno.FileInfo): string {
  return `${timeOf(info).getTime()}-${info.size}-${info.ino}`;
}

/** When a file was last written. */
export function timeOf(info: Deno.FileInfo): Date {
  if (info.mtime === null) throw new Error("the file system keeps no times");
  return info.mtime;
}

/** Gives a file a later time than the one that it replaces. */
export async function makeLater(
  path: string,
  than: Deno.FileInfo,
): Promise<void> {
  const before = timeOf(than).getTime();
  const now = timeOf(await Deno.stat(path)).getTime();
  if (now > before) return;
  const later = new Date(before + 1);
  await Deno.utime(path, later, later);
}

/** Reads this many bytes, or up to the end of the file. */
export async function readAll(
  file: Deno.FsFile,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const content = new Uint8Array(bytes);
  let filled = 0;
  while (filled < bytes) {
    const count = await file.read(content.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return content.subarray(0, filled);
}

/** Writes all of this, in as many calls as it takes. */
export async function writeAll(
  file: Deno.FsFile,
  content: Uint8Array,
): Promise<void> {
  for (let start = 0; start < content.length;) {
    start += await file.write(content.subarray(start));
  }
}

/** Syncs the names in a folder to disk. */
export async function syncFolder(folder: string): Promise<void> {
  using file = await Deno.open(folder);
  await file.sync();
}

const HINTS: Record<string, string> = {
  EACCES: "Give the user that runs this the right to write there.",
  EPERM: "Give the user that runs this the right to write there.",
  ENOSPC: "Free some space on that disk.",
  EDQUOT: "Free some space, or raise the user's quota.",
  ENOLINKS:
    "Choose a directory on another file system (FAT and exFAT can't hold a zone), or S3.",
  EROFS: "Choose a directory on a disk that can be written.",
  ENOTDIR: "A file is where the zone's directory should be: move it away.",
  EEXIST: "Data files are never overwritten: run again, with a new run id.",
  ENOENT:
    "Check the path and that its disk is mounted, and create the folder above the zone's.",
};

/** The system's name of an error, such as ENOENT. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Whether an error says that a disk, or a user's share of it, is full. */
export function isDiskFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(codeOf(error));
}

/** The error of a task on a zone, with what to do about it. */
export function zoneError(
  task: string,
  url: string,
  error: unknown,
): StageError {
  const code = codeOf(error);
  const hint = error instanceof Deno.errors.NotCapable
    ? "Run with Deno's permissions to read and write there."
    : HINTS[code];
  return new StageError(`${task} the zone ${url}: ${messageOf(error)}`, {
    subject: url,
    // Space may be freed, as by another run's end, without anyone's help.
    retryable: isDiskFull(error),
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
