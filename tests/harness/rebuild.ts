import assert from "node:assert/strict";
import type { ProcessedManifest } from "../../lib/batches/manifest.ts";
import { openDuckDb } from "../../lib/duckdb/duckdb.ts";
import { query } from "../../lib/postgres/postgres.ts";
import type { Config } from "../../lib/settings/config.ts";
import { openStageZone } from "../../lib/stage.ts";
import { load } from "../../load/load.ts";
import { tableRowsSql } from "../../transform/tables/table_state.ts";
import { transform } from "../../transform/transform.ts";
import { processedManifest } from "./manifests.ts";
import type { Platform } from "./platform.ts";
import { openTestDatabase, type TestDatabase } from "./servers/postgres.ts";

/**
 * Rebuilds the processed zone from the ingestion zone and the warehouse from
 * the rebuilt zone, beside the first; fails unless each is as the first is,
 * the files to the byte and the facts to their serial numbers. It makes batch
 * by batch, and so the files of a group have no counterpart: after one, the rows
 * of the tables that are kept may be in other files, and are compared as rows.
 */
export async function assertRebuilds(
  platform: Platform,
  { isSwept = false }: { isSwept?: boolean } = {},
): Promise<void> {
  const { context } = platform;
  await using warehouse = await openTestDatabase();
  const config = {
    ...context.config,
    processedUrl: `${context.config.processedUrl}-rebuilt`,
    warehouse: warehouse.settings,
  };

  const { batches } = await transform({
    ...context,
    config,
    grouping: { batchesMin: Infinity },
  });
  await load({ ...context, config });

  let followsGroup = false;
  for (const batch of batches) {
    const first = await processedManifest(platform, batch);
    followsGroup ||= first.group !== undefined;
    if (first.group !== undefined) continue;
    const again = await processedManifest({ ...platform, config }, batch);
    const files = (manifest: ProcessedManifest) =>
      checksums(followsGroup ? withoutTables(manifest) : manifest);
    assert.deepEqual(
      files(again),
      files(first),
      `the files of batch ${batch}`,
    );
    // What only older batches kept, a sweep may have removed.
    if (
      !followsGroup ||
      isSwept && batch !== batches.at(-1) && !await hasTables(platform, first)
    ) continue;
    assert.deepEqual(
      await keptRows({ context, config }, again),
      await keptRows({ context, config: context.config }, first),
      `the rows kept by batch ${batch}`,
    );
  }
  const first = await tableTexts(platform.warehouse);
  const again = await tableTexts(warehouse);
  for (const name of new Set([...first.keys(), ...again.keys()])) {
    assert.deepEqual(again.get(name), first.get(name), `the table ${name}`);
  }
}

/** A manifest less the files of the tables that it keeps. */
function withoutTables(manifest: ProcessedManifest): ProcessedManifest {
  const state = Object.entries(manifest.state).filter(([name]) =>
    !/^current[./]/.test(name)
  );
  return { ...manifest, state: Object.fromEntries(state) };
}

/** Whether all files of the tables that a manifest keeps are there. */
async function hasTables(
  { context }: Pick<Platform, "context">,
  { state }: ProcessedManifest,
): Promise<boolean> {
  const zone = openStageZone(context, "processed");
  const heads = await Promise.all(
    Object.values(state).map(({ key }) => zone.head(key)),
  );
  zone.close();
  return !heads.includes(undefined);
}

/** A hash of the rows of each table that a manifest keeps. */
async function keptRows(
  { context, config }: { context: Platform["context"]; config: Config },
  { state }: ProcessedManifest,
): Promise<Record<string, string>> {
  const zone = openStageZone({ ...context, config }, "processed");
  await using duckdb = await openDuckDb(config, { zones: [zone.url] });
  const kept: Record<string, string> = {};
  for (const table of context.sql.tables) {
    const rows = tableRowsSql(zone, { state, table });
    if (rows === undefined) continue;
    const [found] = await duckdb.rows(
      `select concat(count(*), ' ', sum(hash(kept))) as content
      from (${rows}) as kept`,
    );
    kept[table.name] = found?.content ?? "";
  }
  zone.close();
  return kept;
}

/**
 * Fails unless every table of the warehouse, and the ledger, is as a first load
 * of the whole lake makes it.
 */
export async function assertFreshlyLoaded(platform: Platform): Promise<void> {
  const { context } = platform;
  await using warehouse = await openTestDatabase();
  const config = { ...context.config, warehouse: warehouse.settings };
  await load({ ...context, config });
  const fresh = await tableTexts(warehouse);
  const found = await tableTexts(platform.warehouse);
  for (const name of new Set([...fresh.keys(), ...found.keys()])) {
    assert.deepEqual(found.get(name), fresh.get(name), `the table ${name}`);
  }
  assert.deepEqual(
    await ledgerRows(platform.warehouse),
    await ledgerRows(warehouse),
  );
}

async function ledgerRows({ client }: Pick<TestDatabase, "client">) {
  return await query(
    client,
    `select batch, snapshot_time::text, run_id, input_sha256, rows, deletes,
      transform_hash, lake_id, extracted_at::text, extracted_rows,
      extracted_bytes, transform_began_at::text, transformed_at::text,
      (select jsonb_agg(batch_file order by key)::text from pipeline.batch_file
        where batch_file.batch = entry.batch) as files
    from pipeline.batch as entry order by batch`,
  );
}

/** The checksums of a batch's files, by model and kept state. */
export function checksums(
  manifest: ProcessedManifest,
): Record<string, string[]> {
  const files: [string, string[]][] = [
    ...Object.entries(manifest.models).map(
      ([name, model]): [string, string[]] => [
        name,
        model.files.map((file) => file.sha256),
      ],
    ),
    ...Object.entries(manifest.state).map(
      ([name, file]): [string, string[]] => [name, [file.sha256]],
    ),
  ];
  return Object.fromEntries(files.sort());
}

/** Every table of a warehouse, its rows as ordered texts. */
export async function tableTexts(
  { client }: Pick<TestDatabase, "client">,
): Promise<Map<string, string[]>> {
  await client.query("set timezone to 'UTC'");
  const tables = await query(
    client,
    `select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r'`,
  );
  const texts = new Map<string, string[]>();
  for (const { name } of tables) {
    const rows = await query(
      client,
      `select row_text::text as row_text from ${name} as row_text order by 1`,
    );
    texts.set(name ?? "", rows.map((row) => row.row_text ?? ""));
  }
  return texts;
}
