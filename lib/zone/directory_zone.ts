import { dirname, join, resolve } from "node:path";
import { chunks } from "./chunks.ts";
import {
  codeOf,
  etagOf,
  linkNew,
  lockZone,
  makeFolder,
  makeLater,
  readAll,
  syncFolder,
  timeOf,
  unlessMissing,
  writeAll,
  writeTemporary,
  zoneError,
} from "./directory_files.ts";
import type {
  ByteRange,
  FileHead,
  ListedFile,
  ListOptions,
  PutOptions,
  StoredFile,
  UnfinishedFile,
  WriteOptions,
  Zone,
} from "./zone.ts";
import { checkPrefix, checkZoneKey } from "./zone_key.ts";

const CHUNK_BYTES = 1 << 20;
const TEMPORARY = /^\..+\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * A zone in a local directory. Names that begin with a dot are reserved for
 * incomplete files and the lock. Every `put` holds that lock (`flock`, which
 * the system frees when a process dies) from the check of the etag to the
 * rename, and gives the file a later time than the one before, so that an etag
 * of time, size and inode never occurs twice.
 */
export class DirectoryZone implements Zone {
  readonly url: string;
  readonly listsAfter = false;

  constructor(directory: string) {
    this.url = resolve(directory);
  }

  locate(key: string): string {
    checkZoneKey(key);
    return join(this.url, key);
  }

  async read(key: string): Promise<StoredFile | undefined> {
    const path = this.locate(key);
    return await this.#orMissing(`Cannot read "${key}" in`, async () => {
      using file = await Deno.open(path);
      const info = await file.stat();
      return { bytes: await readAll(file, info.size), etag: etagOf(info) };
    });
  }

  async readRange(key: string, range: ByteRange): Promise<Uint8Array> {
    const path = this.locate(key);
    return await this.#attempt(`Cannot read "${key}" in`, async () => {
      using file = await Deno.open(path);
      await file.seek(range.offset, Deno.SeekMode.Start);
      return await readAll(file, range.length);
    });
  }

  async head(key: string): Promise<FileHead | undefined> {
    const path = this.locate(key);
    return await this.#orMissing(`Cannot read "${key}" in`, async () => {
      const info = await Deno.stat(path);
      return { bytes: info.size, etag: etagOf(info), modified: timeOf(info) };
    });
  }

  async stream(key: string): Promise<AsyncIterable<Uint8Array>> {
    const path = this.locate(key);
    const file = await this.#attempt(
      `Cannot read "${key}" in`,
      () => Deno.open(path),
    );
    return file.readable;
  }

  async create(key: string, content: Uint8Array): Promise<boolean> {
    const path = this.locate(key);
    return await this.#attempt("Cannot write to", async () => {
      const temporary = await writeTemporary(this.url, path, content);
      try {
        if (!await linkNew(temporary, path)) return false;
      } finally {
        await Deno.remove(temporary);
      }
      await syncFolder(dirname(path));
      return true;
    });
  }

  async put(
    key: string,
    content: Uint8Array,
    options: PutOptions = {},
  ): Promise<boolean> {
    const path = this.locate(key);
    return await this.#attempt("Cannot write to", async () => {
      const temporary = await writeTemporary(this.url, path, content);
      try {
        using _lock = await lockZone(this.url);
        const present = await unlessMissing(() => Deno.stat(path));
        const etag = present && etagOf(present);
        if (options.ifMatch !== undefined && etag !== options.ifMatch) {
          return false;
        }
        if (present !== undefined) await makeLater(temporary, present);
        await Deno.rename(temporary, path);
      } finally {
        await unlessMissing(() => Deno.remove(temporary));
      }
      await syncFolder(dirname(path));
      return true;
    });
  }

  async write(
    key: string,
    content: AsyncIterable<Uint8Array>,
    options: WriteOptions = {},
  ): Promise<number> {
    const path = this.locate(key);
    const file = await this.#openNew(path).catch(async (error) => {
      await content[Symbol.asyncIterator]().return?.();
      throw error;
    });
    let bytes = 0;
    try {
      for await (
        const chunk of chunks(content, { ...options, bytes: CHUNK_BYTES })
      ) {
        await this.#attempt("Cannot write to", () => writeAll(file, chunk));
        bytes += chunk.length;
      }
      await this.#attempt("Cannot write to", async () => {
        await file.sync();
        await syncFolder(dirname(path));
      });
    } catch (error) {
      await Deno.remove(path);
      throw error;
    } finally {
      file.close();
    }
    return bytes;
  }

  async *list(
    prefix: string,
    { after = "" }: ListOptions = {},
  ): AsyncIterable<ListedFile> {
    checkPrefix(prefix);
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    const isWanted = (name: string, above: string) => {
      const key = above + name;
      if (name.startsWith(".")) return false;
      if (name.endsWith("/") && prefix.startsWith(key)) return true;
      return key.startsWith(prefix) && (name.endsWith("/") || key > after);
    };
    for await (const { name, info } of this.#walk(folder, isWanted)) {
      yield { key: name, bytes: info.size, modified: timeOf(info) };
    }
  }

  async remove(key: string): Promise<void> {
    const path = this.locate(key);
    await this.#orMissing(
      `Cannot remove "${key}" from`,
      () => Deno.remove(path),
    );
  }

  async *unfinished(): AsyncIterable<UnfinishedFile> {
    for await (const { name, info } of this.#walk("", isTemporary)) {
      yield {
        name,
        begun: timeOf(info),
        remove: () =>
          this.#attempt(
            `Cannot remove "${name}" from`,
            () => Deno.remove(join(this.url, name)),
          ),
      };
    }
  }

  /** Removing files leaves their folders, thousands of them in a year. */
  async removeEmptyFolders(before: Date): Promise<void> {
    await this.#removeEmpty("", before);
  }

  async #removeEmpty(folder: string, before: Date): Promise<void> {
    const folders: string[] = [];
    let isEmpty = true;
    await this.#visit(folder, ({ name, isDirectory }) => {
      isEmpty = false;
      if (isDirectory) folders.push(`${folder}${name}/`);
    });
    for (const one of folders) await this.#removeEmpty(one, before);
    if (!isEmpty || folder === "") return;
    const path = join(this.url, folder);
    await this.#orMissing(`Cannot remove "${folder}" from`, async () => {
      if (!(timeOf(Deno.statSync(path)) < before)) return;
      // Another process may have written there meanwhile.
      await Deno.remove(path).catch((error) => {
        if (codeOf(error) !== "ENOTEMPTY") throw error;
      });
    });
  }

  /** The clock of the disk's machine: the time of a file just created. */
  async now(): Promise<Date> {
    return await this.#attempt("Cannot write to", async () => {
      const path = await writeTemporary(
        this.url,
        join(this.url, "now"),
        new Uint8Array(),
      );
      try {
        return timeOf(await Deno.stat(path));
      } finally {
        await Deno.remove(path);
      }
    });
  }

  close(): void {}

  /** Files below a folder, which is empty or ends with a slash, in order. */
  async *#walk(
    folder: string,
    isWanted: (name: string, folder: string) => boolean,
  ): AsyncIterable<{ name: string; info: Deno.FileInfo }> {
    const names: string[] = [];
    await this.#visit(folder, (entry) => {
      const name = entry.isDirectory ? `${entry.name}/` : entry.name;
      if (isWanted(name, folder)) names.push(name);
    });
    for (const entry of names.sort()) {
      const name = folder + entry;
      if (entry.endsWith("/")) {
        yield* this.#walk(name, isWanted);
        continue;
      }
      const info = await this.#orMissing(
        "Cannot list",
        // Awaiting the answer would cost ten times as much as the answer.
        () => Deno.statSync(join(this.url, name)),
      );
      if (info !== undefined) yield { name, info };
    }
  }

  /** Deno's synchronous way would hold all of a folder's entries at once. */
  async #visit(folder: string, visit: (entry: Deno.DirEntry) => void) {
    const entries = Deno.readDir(join(this.url, folder));
    await this.#orMissing("Cannot list", async () => {
      for await (const entry of entries) visit(entry);
    });
  }

  async #openNew(path: string): Promise<Deno.FsFile> {
    return await this.#attempt("Cannot write to", async () => {
      await makeFolder(this.url, dirname(path));
      return await Deno.open(path, { write: true, createNew: true });
    });
  }

  async #attempt<T>(task: string, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw zoneError(task, this.url, error);
    }
  }

  async #orMissing<T>(
    task: string,
    work: () => T | Promise<T>,
  ): Promise<T | undefined> {
    return await this.#attempt(task, () => unlessMissing(work));
  }
}

/** Whether `writeTemporary` gave the name, or a folder may hold such files. */
function isTemporary(name: string): boolean {
  return name.endsWith("/") || TEMPORARY.test(name);
}
