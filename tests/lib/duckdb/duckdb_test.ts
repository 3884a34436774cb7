import assert from "node:assert/strict";
import { join } from "node:path";
import { openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { StageError } from "../../../lib/errors.ts";
import { type Config, readConfig } from "../../../lib/settings/config.ts";
import { resolveCredentials } from "../../../lib/zone/s3_credentials.ts";

async function withFolder(
  work: (folder: string, config: Config) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const config = readConfig(
    (name) => name === "TEMP_DIRECTORY" ? join(folder, "temp") : undefined,
    [],
  );
  try {
    await work(folder, config);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("openDuckDb() reads its zones and nothing else", async () => {
  await withFolder(async (folder, config) => {
    await Deno.mkdir(join(folder, "zone"));
    await Deno.writeTextFile(join(folder, "zone", "a.csv"), "1\n");
    await Deno.writeTextFile(join(folder, "b.csv"), "2\n");
    await using duckdb = await openDuckDb(config, {
      zones: [join(folder, "zone")],
    });

    const read = (path: string) =>
      duckdb.rows(`from read_csv('${path}', header = false)`);
    assert.deepEqual(await read(join(folder, "zone", "a.csv")), [
      { column0: "1" },
    ]);
    for (
      const path of [
        join(folder, "b.csv"),
        join(folder, "zone", "..", "b.csv"),
        "/etc/passwd",
        "https://example.com/x.csv",
      ]
    ) {
      await assert.rejects(
        read(path),
        /disabled|not allowed|Permission/i,
        path,
      );
    }
    for (
      const statement of [
        "set memory_limit = '1GB'",
        "set enable_external_access = true",
        "install httpfs",
        `attach '${join(folder, "other.duckdb")}' as other`,
        `copy (select 1) to '${join(folder, "out.csv")}'`,
      ]
    ) await assert.rejects(duckdb.run(statement), statement);
  });
});

Deno.test("openDuckDb() removes its temporary folder", async () => {
  await withFolder(async (_folder, config) => {
    let temporary = "";
    {
      await using duckdb = await openDuckDb(config, { zones: [] });
      temporary = duckdb.tempDirectory;
      await duckdb.run(
        `copy (select 1) to '${join(temporary, "x.parquet")}'`,
      );
    }
    await assert.rejects(Deno.stat(temporary), Deno.errors.NotFound);
  });
});

Deno.test("openDuckDb() names a TEMP_DIRECTORY that it can't use", async () => {
  await withFolder(async (folder, config) => {
    const file = join(folder, "file");
    await Deno.writeTextFile(file, "");
    for (const tempDirectory of [file, join(file, "temp"), "/proc/temp"]) {
      await assert.rejects(
        openDuckDb({ ...config, tempDirectory }, { zones: [] }),
        (error) => {
          assert(error instanceof StageError);
          assert.ok(
            error.message.startsWith(
              `Cannot use TEMP_DIRECTORY ${tempDirectory}: `,
            ),
            error.message,
          );
          assert.equal(error.subject, tempDirectory);
          assert.match(error.hint ?? "", /that this user may write to/);
          return true;
        },
      );
    }
  });
});

Deno.test("openDuckDb() explains what to do without the httpfs extension", async () => {
  await withFolder(async (folder, config) => {
    const s3 = {
      region: "us-east-1",
      accessKeyId: "k",
      secretAccessKey: "s",
    };
    await assert.rejects(
      openDuckDb({ ...config, s3, duckDbExtensionDirectory: folder }, {
        zones: [],
      }),
      (error) => {
        assert(error instanceof StageError);
        assert.equal(error.subject, "httpfs");
        assert.match(error.hint ?? "", /\.\/totesys httpfs/);
        return true;
      },
    );
    assert.deepEqual([...Deno.readDirSync(config.tempDirectory)], []);
  });
});

Deno.test("resolveCredentials() returns the settings' keys", async () => {
  assert.deepEqual(
    await resolveCredentials({
      region: "r",
      accessKeyId: "k",
      secretAccessKey: "s",
    }),
    { accessKeyId: "k", secretAccessKey: "s", sessionToken: undefined },
  );
});

Deno.test("closing a DuckDB interrupts its running statement", async () => {
  await withFolder(async (_folder, config) => {
    const duckdb = await openDuckDb(config, { zones: [] });
    const counting = duckdb.rows(
      "select count(*) from range(100000000000) as numbers (n) where n % 7 = 3",
    );
    const interrupted = assert.rejects(counting, /INTERRUPT/);

    await duckdb[Symbol.asyncDispose]();

    await interrupted;
  });
});
