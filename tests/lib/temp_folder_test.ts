import assert from "node:assert/strict";
import { join } from "node:path";
import {
  openTempFolder,
  removeDeadTempFolders,
  tempDirectoryError,
} from "../../lib/temp_folder.ts";
import { zoneError } from "../../lib/zone/directory_files.ts";

async function withFolder(
  test: (tempDirectory: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("openTempFolder() makes a folder that is removed at its end", () =>
  withFolder(async (folder) => {
    const tempDirectory = join(folder, "not there yet");
    {
      await using temporary = await openTempFolder({ tempDirectory });
      await Deno.writeTextFile(join(temporary.path, "file"), "text");
      assert.equal(names(tempDirectory).length, 1);
    }
    assert.deepEqual(names(tempDirectory), []);
  }));

Deno.test("a full disk is reported as retryable", async () => {
  const full = await Deno.writeTextFile("/dev/full", "text").catch((error) =>
    error
  );

  for (
    const error of [
      tempDirectoryError(full, "/temp"),
      zoneError("Cannot write to", "/zone", full),
    ]
  ) {
    assert.match(error.message, /No space left/);
    assert.equal(error.retryable, true);
    assert.match(error.hint ?? "", /space/);
  }
  const missing = await Deno.readTextFile("/not/there").catch((error) => error);
  assert.equal(tempDirectoryError(missing, "/temp").retryable, false);
});

Deno.test("openTempFolder() removes a killed run's folder, and no others", () =>
  withFolder(async (tempDirectory) => {
    await using alive = await openTempFolder({ tempDirectory });
    await Deno.mkdir(join(tempDirectory, "totesys-run-of-somebody"));
    const module = new URL("../../lib/temp_folder.ts", import.meta.url);
    const killed = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { openTempFolder } from "${module}";
        const made = await openTempFolder(${JSON.stringify({ tempDirectory })});
        await Deno.writeTextFile(made.path + "/rows.csv", "1,2");
        console.log(made.path);
        setInterval(() => {}, 1000);`,
      ],
      stdout: "piped",
    }).spawn();
    for await (const _path of killed.stdout) break;
    assert.equal(names(tempDirectory).length, 3);
    killed.kill("SIGKILL");
    await killed.status;

    await using after = await openTempFolder({ tempDirectory });

    const folders = [alive.path, after.path].map((path) =>
      path.slice(tempDirectory.length + 1)
    );
    assert.deepEqual(
      names(tempDirectory),
      [...folders, "totesys-run-of-somebody"].sort(),
    );
  }));

Deno.test("removeDeadTempFolders() ignores a folder that its owner is removing", () =>
  withFolder(async (tempDirectory) => {
    await Deno.mkdir(join(tempDirectory, "totesys-run-0123456789abcdef"));

    await removeDeadTempFolders(tempDirectory);

    assert.equal(names(tempDirectory).length, 1);
  }));
