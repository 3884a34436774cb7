import assert from "node:assert/strict";
import { join } from "node:path";
import { DirectoryZone } from "../../../lib/zone/directory_zone.ts";
import { openZone, type Zone } from "../../../lib/zone/zone.ts";
import {
  bytesOf,
  patternOf,
  pieces,
  textOf,
  ZONE_CASES,
} from "./zone_cases.ts";

for (const { name, run } of ZONE_CASES) {
  Deno.test(`DirectoryZone ${name}`, () =>
    inFolder(async (folder) => {
      await run(openZone(join(folder, "zone"), { s3: undefined }));
    }));
}

Deno.test("DirectoryZone keeps no temporary files", () =>
  inFolder(async (folder) => {
    const zone = new DirectoryZone(join(folder, "zone/"));
    await zone.create("a", bytesOf("a"));
    await zone.create("a", bytesOf("a"));
    await zone.put("a", bytesOf("a"));
    await zone.put("a", bytesOf("a"), { ifMatch: "other" });

    const names = await Array.fromAsync(Deno.readDir(zone.url));

    assert.equal(zone.url, join(folder, "zone"));
    assert.deepEqual(names.map(({ name }) => name).sort(), [".lock", "a"]);
  }));

Deno.test("DirectoryZone lists files that no key can name", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "of a person"));
    await Deno.writeTextFile(join(folder, "of a person", "ü.txt"), "note");

    const files = await Array.fromAsync(new DirectoryZone(folder).list(""));

    assert.deepEqual(files.map(({ key }) => key), ["of a person/ü.txt"]);
  }));

Deno.test("DirectoryZone reports unfinished files of a killed process", () =>
  inFolder(async (folder) => {
    const zone = new DirectoryZone(folder);
    await zone.put("a/b.json", bytesOf("whole"));
    const left = `a/.b.json.${crypto.randomUUID()}`;
    await Deno.writeTextFile(join(folder, left), "half");

    const found = await Array.fromAsync(zone.unfinished());
    for (const file of found) await file.remove();

    assert.deepEqual(found.map(({ name }) => name), [left]);
    assert.ok(Math.abs(Date.now() - Number(found[0]?.begun)) < 60_000);
    assert.deepEqual(await Array.fromAsync(zone.unfinished()), []);
    assert.equal((await Array.fromAsync(zone.list(""))).length, 1);
  }));

Deno.test("DirectoryZone removes folders that have long been empty", () =>
  inFolder(async (folder) => {
    const zone = new DirectoryZone(folder);
    for (const key of ["a/1/x", "a/2/x", "a/3/x", "b/x"]) {
      await zone.create(key, bytesOf("x"));
    }
    const old = new Date("2026-01-01T00:00Z");
    for (const key of ["a/1/x", "a/3/x"]) await zone.remove(key);
    for (const name of ["a/1", "a/2"]) {
      await Deno.utime(join(folder, name), old, old);
    }

    await zone.removeEmptyFolders(new Date("2026-01-03T00:00Z"));

    const left = await Array.fromAsync(Deno.readDir(join(folder, "a")));
    assert.deepEqual(left.map(({ name }) => name).sort(), ["2", "3"]);
    const files = await Array.fromAsync(zone.list(""));
    assert.deepEqual(files.map(({ key }) => key), ["a/2/x", "b/x"]);
  }));

Deno.test("DirectoryZone never shows a partly written file", () =>
  inFolder(async (folder) => {
    const zone = new DirectoryZone(folder);
    const content = patternOf(5_000_000);
    let looking = true;
    const sizes = new Set<number | undefined>();
    const look = (async () => {
      while (looking) sizes.add((await zone.head("a"))?.bytes);
    })();

    await zone.create("a", content);
    await zone.put("a", content);
    looking = false;
    await look;

    sizes.delete(undefined);
    assert.deepEqual([...sizes], [content.length]);
  }));

Deno.test("DirectoryZone gives every put a later time, even if the clock went back", () =>
  inFolder(async (folder) => {
    const zone = new DirectoryZone(folder);
    const later = new Date(Date.now() + 3_600_000);
    await zone.put("a", bytesOf("same"));
    await Deno.utime(zone.locate("a"), later, later);

    await zone.put("a", bytesOf("same"));

    const modified = (await zone.head("a"))?.modified;
    assert.equal(Number(modified), later.getTime() + 1);
  }));

Deno.test("DirectoryZone serializes puts of several processes", () =>
  inFolder(async (folder) => {
    const counting = `
      import { DirectoryZone } from "${
      import.meta.resolve("../../../lib/zone/directory_zone.ts")
    }";
      const zone = new DirectoryZone(${JSON.stringify(folder)});
      for (let done = 0; done < 25;) {
        const { bytes, etag } = await zone.read("count");
        const next = Number(new TextDecoder().decode(bytes)) + 1;
        const content = new TextEncoder().encode(String(next));
        if (await zone.put("count", content, { ifMatch: etag })) done++;
      }`;
    await Deno.writeTextFile(join(folder, ".counting.ts"), counting);
    const zone = new DirectoryZone(folder);
    await zone.put("count", bytesOf("0"));

    const ended = await Promise.all(
      [1, 2].map(() =>
        new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            `--allow-read`,
            `--allow-write=${folder}`,
            join(folder, ".counting.ts"),
          ],
        }).output()
      ),
    );

    assert.deepEqual(ended.map(({ code }) => code), [0, 0]);
    assert.equal(textOf((await zone.read("count"))?.bytes), "50");
  }));

Deno.test("DirectoryZone is empty while its directory doesn't exist", () =>
  inFolder(async (folder) => {
    const zone = new DirectoryZone(join(folder, "none"));

    assert.equal(await zone.read("a"), undefined);
    assert.deepEqual(await Array.fromAsync(zone.list("")), []);
  }));

Deno.test("DirectoryZone creates its directory, but no parent directories", () =>
  inFolder(async (folder) => {
    const zone = new DirectoryZone(join(folder, "none/zone"));

    await assertNotWritable(zone, {
      message: /^Cannot write to the zone .*none\/zone: No such file/,
      hint: /create the folder above the zone/,
    });
  }));

Deno.test("DirectoryZone reports a file in place of its directory", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "file"), "");

    await assertNotWritable(new DirectoryZone(join(folder, "file")), {
      message: /Not a directory/,
      hint: /move it away/,
    });
  }));

Deno.test({
  name: "DirectoryZone reports a directory without write permission",
  // Nothing but a system's own folder refuses root.
  ignore: Deno.uid() === 0 && Deno.build.os !== "linux",
  fn: () =>
    inFolder(async (folder) => {
      await Deno.chmod(folder, 0o500);
      const place = Deno.uid() === 0 ? "/sys" : folder;

      await assertNotWritable(new DirectoryZone(join(place, "zone")), {
        message: /not permitted|denied|Read-only/,
        hint: /right to write|can be written/,
      });
    }),
});

Deno.test({
  name: "DirectoryZone reports a missing permission of Deno",
  permissions: { read: true },
  fn: async () => {
    await assertNotWritable(new DirectoryZone("/nowhere"), {
      message: /^Cannot write to the zone \/nowhere: Requires/,
      hint: /Deno's permissions/,
    });
  },
});

Deno.test("DirectoryZone reports a file system without hard links", () =>
  inFolder(async (folder) => {
    const zone = new DirectoryZone(join(folder, "zone"));
    const link = Deno.link;
    // As FAT answers, which few machines can mount.
    Deno.link = () => {
      const error = new Deno.errors.PermissionDenied("not permitted");
      return Promise.reject(Object.assign(error, { code: "EPERM" }));
    };
    try {
      await assert.rejects(zone.create("a", bytesOf("a")), {
        name: "StageError",
        message: /^Cannot write to the zone .* has no hard links$/,
        hint: /another file system/,
      });
    } finally {
      Deno.link = link;
    }
    assert.deepEqual(await Array.fromAsync(Deno.readDir(zone.url)), []);
  }));

async function assertNotWritable(
  zone: Zone,
  found: { message: RegExp; hint: RegExp },
): Promise<void> {
  const refusal = { name: "StageError", subject: zone.url, ...found };
  await assert.rejects(zone.create("t/a", bytesOf("a")), refusal);
  await assert.rejects(zone.put("t/a", bytesOf("a")), refusal);
  await assert.rejects(zone.write("t/a", pieces(bytesOf("a"), 1)), refusal);
}

async function inFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.chmod(folder, 0o700);
    await Deno.remove(folder, { recursive: true });
  }
}
