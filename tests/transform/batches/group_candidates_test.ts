import assert from "node:assert/strict";
import { GROUP_BOUNDS } from "../../../transform/batches/group_bounds.ts";
import { BatchLog } from "../../../lib/batches/batch_log.ts";
import { type IngestionManifest } from "../../../lib/batches/manifest.ts";
import { openZone } from "../../../lib/zone/zone.ts";
import {
  groupCandidates,
} from "../../../transform/batches/group_candidates.ts";
import { processedManifest } from "../../harness/manifests.ts";
import { execute, openPlatform } from "../../harness/platform.ts";
import {
  fillSmall,
  insertOrder,
} from "../../harness/companies/small_source.ts";
import { manifestSha256 } from "../../../lib/batches/encode_manifest.ts";

Deno.test("groupCandidates() drops the buckets of keys, and keeps the checksum of the whole manifest", async () => {
  await using platform = await openPlatform();
  const { config, context, source } = platform;
  await fillSmall(source.client);
  await platform.extract();
  await platform.transform();
  for (const order of [20, 21]) {
    await execute(source.client, insertOrder(order));
    await platform.extract();
  }
  const zone = openZone(config.ingestionUrl, { s3: config.s3 });
  const input = new BatchLog<IngestionManifest>(zone, "extract");

  const batches = await groupCandidates(context, {
    input,
    previous: await processedManifest(platform, 1),
    last: await input.read(3),
    bounds: GROUP_BOUNDS,
  });

  assert.deepEqual(batches.map(({ batch }) => batch), [2, 3]);
  for (const { batch, tables, inputSha256 } of batches) {
    const whole = await input.read(batch);
    assert.equal(inputSha256, manifestSha256(whole));
    const bucketsOf = (of: IngestionManifest["tables"]) =>
      Object.values(of).flatMap(({ digest }) => digest.buckets).length;
    assert.ok(bucketsOf(whole.tables) > 0);
    assert.equal(bucketsOf(tables), 0);
  }
  zone.close();
});
