import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { join } from "node:path";
import { quoteText } from "../../../lib/sql/quote.ts";
import { sha256Hex } from "../../../lib/zone/checksum.ts";
import { copyFolder } from "../../harness/servers/cluster.ts";
import { inFolder } from "../../harness/in_folder.ts";
import { openPlatform } from "../../harness/platform.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";

/** A lake as an analyst attaches it, in a DuckDB of theirs. */
async function attached(place: string) {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  await connection.run(`attach ${quoteText(place)} as totes (read_only)`);
  return {
    rows: async (sql: string) => {
      const reader = await connection.runAndReadAll(sql);
      return reader.getRowObjectsJson();
    },
    [Symbol.asyncDispose]: () => {
      connection.closeSync();
      instance.closeSync();
      return Promise.resolve();
    },
  };
}

Deno.test("a copied lake reports that it is a copy, until transform makes one there", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    await platform.run();
    const { processedUrl } = platform.config;
    const copy = join(folder, "copied zone");
    await copyFolder(processedUrl, copy);
    const queries = [
      "select count(*) as rows from totes.fact_payment_current",
      "select count(*) as rows from totes.dim_staff_history",
      "select count(*) as rows from totes.fact_payment_as_of_batch(1)",
      "select count(*) as rows from totes.dim_staff_as_of_time(now())",
    ];
    const counts = async (place: string) => {
      await using lake = await attached(place);
      // One after the other: a connection that is closed under one crashes.
      const counted = [];
      for (const query of queries) {
        counted.push((await lake.rows(query))[0]?.rows);
      }
      return counted;
    };
    await using lake = await attached(`${copy}/lake.duckdb`);
    for (const query of queries) {
      await assert.rejects(
        lake.rows(query),
        (error: Error) => {
          assert.match(error.message, /This lake\.duckdb was moved or copied/);
          assert.ok(error.message.includes(`${processedUrl}/lake.duckdb`));
          return true;
        },
        query,
      );
    }
    const single = join(folder, "mine.duckdb");
    await Deno.copyFile(`${processedUrl}/lake.duckdb`, single);
    await assert.rejects(counts(single), /was moved or copied/);
    await Deno.symlink(processedUrl, join(folder, "link"));
    assert.deepEqual(
      await counts(join(folder, "link", "lake.duckdb")),
      await counts(`${processedUrl}/lake.duckdb`),
    );
    const before = await counts(`${processedUrl}/lake.duckdb`);

    platform.set({ processedUrl: copy });
    await platform.transform();
    await Deno.remove(processedUrl, { recursive: true });

    assert.deepEqual(await counts(`${copy}/lake.duckdb`), before);
  }));

Deno.test("runs that see a zone by two paths don't replace each other's lake", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    await platform.run();
    const one = platform.config.processedUrl;
    const other = join(folder, "mounted");
    const lakeAt = async (zone: string) => {
      platform.set({ processedUrl: zone });
      await platform.transform();
      return await Deno.readFile(`${zone}/lake.duckdb`);
    };
    // As by a mount on another machine: each path is there for one of them.
    const visit = async (from: string, to: string) => {
      await Deno.rename(from, to);
      return await lakeAt(to);
    };

    const mounted = await visit(one, other);
    platform.logged.length = 0;
    const back = await visit(other, one);
    const again = await lakeAt(one);

    assert.deepEqual(back, mounted);
    assert.deepEqual(again, mounted);
    const warned = platform.logged.filter((line) =>
      /stays unchanged/.test(line)
    );
    assert.equal(warned.length, 2);
    assert.ok(warned[0]?.includes(`was published for ${other}`));
    assert.ok(warned[0]?.includes(`here it is ${one}`));
    await Deno.remove(`${one}/lake.duckdb`);
    await lakeAt(one);
    await using lake = await attached(`${one}/lake.duckdb`);
    await lake.rows("from totes.fact_payment_current");
  }));

Deno.test("a link to a zone is the same zone", () =>
  inFolder(async (folder) => {
    await using platform = await openPlatform();
    await fillSmall(platform.source.client);
    await platform.run();
    const { processedUrl } = platform.config;
    const hash = async () =>
      sha256Hex(await Deno.readFile(`${processedUrl}/lake.duckdb`));
    const before = await hash();
    await Deno.symlink(processedUrl, join(folder, "link"));

    platform.set({ processedUrl: join(folder, "link") });
    await platform.transform();

    assert.equal(await hash(), before);
  }));
