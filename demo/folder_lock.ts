import { join } from "node:path";
import { StageError } from "../lib/errors.ts";
import { unlockAndClose } from "../lib/file_lock.ts";

const LOCK_FILE = ".lock";

/**
 * Locks a demo's folder until the lock is disposed of or this process ends,
 * however it ends. Throws a `StageError` if another demo holds the lock.
 */
export async function lockFolder(directory: string): Promise<Disposable> {
  await Deno.mkdir(directory, { recursive: true });
  const file = await Deno.open(join(directory, LOCK_FILE), {
    create: true,
    write: true,
  });
  if (await file.tryLock(true)) return unlockAndClose(file);
  file.close();
  throw new StageError(
    `Cannot start the demo in "${directory}": another demo runs there`,
    {
      subject: directory,
      hint: "Stop it, or use another folder and port: --directory and --port",
    },
  );
}
