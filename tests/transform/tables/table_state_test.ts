import assert from "node:assert/strict";
import type pg from "pg";
import { tableFiles } from "../../../transform/tables/table_state.ts";
import { verify } from "../../../verify/verify.ts";
import { processedManifest } from "../../harness/manifests.ts";
import { assertMirrored } from "../../harness/readers/mirror.ts";
import { execute, openPlatform, ZONE_KINDS } from "../../harness/platform.ts";
import { fillSmall } from "../../harness/companies/small_source.ts";

const STAFF = 400;
const BATCHES = 12;

for (const zones of ZONE_KINDS) {
  Deno.test(`changes of a large joined table are written to a file of their own, on ${zones}`, async () => {
    await using platform = await openPlatform({ zones });
    const { context, source } = platform;
    context.compaction = { stateRowsMin: 2 };
    context.grouping = { batchesMin: 1000 };
    await fillSmall(source.client);
    await addStaff(source.client, STAFF);
    await platform.run();
    const whole = (await processedManifest(platform, 1)).state;
    let written = 0;
    let filesMax = 0;
    for (let batch = 2; batch <= BATCHES; batch++) {
      await execute(
        source.client,
        `update staff set first_name = 'In ${batch}'
        where staff_id in (101, ${100 + batch})`,
        `delete from staff where staff_id = ${200 + batch}`,
        batch % 4 === 0
          ? `insert into staff values (${
            199 + batch
          }, 'Back', 'Again', 1, 'mail',
            now(), now())`
          : `update department set location = 'In ${batch}'
            where department_id = 2`,
      );
      await platform.run();
      const { state } = await processedManifest(platform, batch);
      const files = tableFiles(state, "staff");
      filesMax = Math.max(filesMax, files.length);
      written += files.filter(({ key }) =>
        key.includes(`batch=${String(batch).padStart(9, "0")}`)
      ).reduce((sum, { rows }) => sum + rows, 0);

      assert.equal(files[0]?.key, whole["current.staff"]?.key);
      assert.equal(state["current.staff"], undefined);
    }

    assert.ok(filesMax <= 5, `${filesMax} files`);
    assert.ok(written < STAFF, `${written} rows were written`);
    await assertMirrored(platform);
    assert.equal((await verify(context)).same, true);
  });
}

Deno.test("a joined table's files are merged when most rows changed or it is read whole", async () => {
  await using platform = await openPlatform();
  const { context, source } = platform;
  context.compaction = { stateRowsMin: 0 };
  await fillSmall(source.client);
  await addStaff(source.client, 40);
  await platform.run();
  const filesAfter = async (batch: number, ...changes: string[]) => {
    await execute(source.client, ...changes);
    await platform.run();
    const { state } = await processedManifest(platform, batch);
    return tableFiles(state, "staff").length;
  };
  const one = "update staff set first_name = 'One' where staff_id = 101";

  assert.equal(await filesAfter(2, one), 2);
  assert.equal(
    await filesAfter(3, "update staff set first_name = 'Many'"),
    1,
  );
  assert.equal(await filesAfter(4, one), 2);
  await execute(source.client, one);
  await platform.extract({ fullRead: ["staff"] });
  await platform.transform();
  const { state } = await processedManifest(platform, 5);
  assert.equal(tableFiles(state, "staff").length, 1);
  await platform.load();
  await assertMirrored(platform);
});

Deno.test("a missing or damaged file of a joined table is named, and nothing is committed", async () => {
  await using platform = await openPlatform();
  const { context, source } = platform;
  context.compaction = { stateRowsMin: 0 };
  await fillSmall(source.client);
  await addStaff(source.client, 40);
  await platform.run();
  const change = () =>
    execute(
      source.client,
      `update staff set first_name = first_name || '!' where staff_id = 101`,
    );
  await change();
  await platform.run();
  const { state } = await processedManifest(platform, 2);
  const [, changes] = tableFiles(state, "staff");
  assert.ok(changes !== undefined);
  const path = `${context.config.processedUrl}/${changes.key}`;
  const content = await Deno.readFile(path);
  await change();
  await platform.extract();

  for (const damage of ["missing", "does not match its checksum"]) {
    if (damage === "missing") await Deno.remove(path);
    else await Deno.writeFile(path, content.toReversed());
    await assert.rejects(platform.transform(), {
      subject: path,
      message: new RegExp(`Cannot read .*${damage}`),
    });
  }

  await Deno.writeFile(path, content);
  await platform.transform();
  await platform.load();
  await assertMirrored(platform);
});

async function addStaff(client: pg.Client, rows: number): Promise<void> {
  await execute(
    client,
    `insert into staff select 100 + n, 'First', 'Last', 1 + n % 3, 'mail',
      now(), now() from generate_series(1, ${rows}) as n`,
  );
}
