import type pg from "pg";
import { type ContractTable, integerKey, typeSql } from "../lib/contract.ts";
import { sha256Hex, shortChecksum } from "../lib/checksum.ts";
import { StageError } from "../lib/errors.ts";
import type { KeyBucket, KeyDigest } from "../lib/manifest.ts";
import { query, quoteName, quoteText } from "../lib/postgres.ts";
import type { Zone } from "../lib/zone.ts";
import type { LiveTable } from "./live_table.ts";

/** What one scan of a table tells: its keys by buckets, and what is new. */
export interface TableScan {
  buckets: ScannedBucket[];
  rows: number;
  /** Rows that no earlier batch has shipped. */
  unshipped: number;
}

/** A bucket of keys as the source has it now. */
export interface ScannedBucket {
  id: string;
  rows: number;
  hash: string;
  /** The keys when they are a run without gaps: `{[first,last]}`. */
  run: string | undefined;
}

/** An integer key's bucket is the key without its last 14 bits. */
const BUCKET_BITS = 14;
/** Other keys fall into so many buckets by a hash of their text. */
const HASH_BUCKETS = 1024;

/**
 * Scans a table once: per bucket the number of keys and a hash that does not
 * depend on their order, and how many rows are to be shipped. Nothing leaves
 * the server but these.
 */
export async function scanTable(
  client: pg.Client,
  options: { table: LiveTable; unshippedSql: string },
): Promise<TableScan> {
  const { table, unshippedSql } = options;
  const integer = integerKey(table.contract);
  const sql = integer === undefined
    ? `select (hashtextextended(key, 0) & ${HASH_BUCKETS - 1})::text as id,
        count(*) as rows, bit_xor(hashtextextended(key, 1)) as hash,
        count(*) filter (where unshipped) as unshipped, null as run
      from (select ${keyText(table.contract)} as key,
        ${unshippedSql} as unshipped from ${table.from}) as keys
      group by 1`
    : `select (${quoteName(integer)}::bigint >> ${BUCKET_BITS})::text as id,
        count(*) as rows,
        bit_xor(hashint8extended(${quoteName(integer)}, 0)) as hash,
        count(*) filter (where ${unshippedSql}) as unshipped,
        case when count(*) - 1 = max(${quoteName(integer)}::bigint)
          - min(${quoteName(integer)}::bigint)
        then '{[' || min(${quoteName(integer)}) || ','
          || max(${quoteName(integer)}) || ']}' end as run
      from ${table.from} group by 1`;
  const found = await query(client, sql);
  const buckets = found.map((row) => ({
    id: row.id ?? "",
    rows: Number(row.rows),
    hash: row.hash ?? "",
    run: row.run ?? undefined,
  })).sort((a, b) => Number(a.id) - Number(b.id));
  return {
    buckets,
    rows: buckets.reduce((sum, bucket) => sum + bucket.rows, 0),
    unshipped: found.reduce((sum, row) => sum + Number(row.unshipped), 0),
  };
}

/** How the keys of a table have moved since the batch before. */
export interface KeyChange {
  digest: KeyDigest;
  /** The lines of the new keys file; empty when no key moved. */
  lines: string[];
  /** Selects the deleted keys; undefined when none is missing. */
  deletedSql: string | undefined;
}

/**
 * Compares the keys with those of the batch before. Keys are read only of the
 * buckets that differ, from the zone as they were and from the source as they
 * are. The new digest names the file `keysFile` for them.
 */
export async function compareKeys(
  client: pg.Client,
  options: {
    table: LiveTable;
    scan: TableScan;
    previous: KeyDigest | undefined;
    zone: Zone;
    keysFile: string;
  },
): Promise<KeyChange> {
  const { table, scan, previous, zone, keysFile } = options;
  const key = keySignature(table.contract);
  if (previous !== undefined && previous.key !== key) {
    const { name } = table.contract;
    throw new StageError(
      `Cannot compare the keys of "${name}": its key is now ${key}, it was ${previous.key}`,
      {
        subject: name,
        hint:
          "A table's key can't change within a lake: point the zones and the warehouse to empty places",
      },
    );
  }
  const before = new Map(
    previous?.buckets.map((bucket) => [bucket[0], bucket]),
  );
  const isNow = new Map(scan.buckets.map((bucket) => [bucket.id, bucket]));
  const moved = scan.buckets.filter((bucket) => {
    const [, rows, hash] = before.get(bucket.id) ?? [];
    return rows !== bucket.rows || hash !== bucket.hash;
  });
  const gone = [...before.keys()].filter((id) => !isNow.has(id));
  const oldKeys: string[] = [];
  for (const id of [...moved.map((bucket) => bucket.id), ...gone]) {
    const bucket = before.get(id);
    if (bucket !== undefined && previous !== undefined) {
      oldKeys.push(await readKeys(zone, previous, bucket));
    }
  }
  const newKeys = await currentKeys(client, table.contract, {
    from: table.from,
    buckets: moved,
  });
  const lines = moved.map((bucket) => newKeys.get(bucket.id) ?? "");
  const unmoved = scan.buckets.flatMap((bucket) =>
    moved.includes(bucket) ? [] : [before.get(bucket.id) ?? []]
  ).filter(isBucket);
  return {
    digest: nextDigest({ key, previous, unmoved, moved, lines, keysFile }),
    lines,
    deletedSql: oldKeys.length === 0
      ? undefined
      : deletedKeysSql(table.contract, { oldKeys, newKeys: lines }),
  };
}

function isBucket(value: KeyBucket | never[]): value is KeyBucket {
  return value.length > 0;
}

async function readKeys(
  zone: Zone,
  digest: KeyDigest,
  [id, , , file, offset, bytes, checksum]: KeyBucket,
): Promise<string> {
  const key = digest.files[file]?.key ?? "";
  const keys = await zone.readRange(key, { offset, length: bytes });
  if (shortChecksum(keys) === checksum) return new TextDecoder().decode(keys);
  const path = zone.locate(key);
  throw new StageError(
    `Cannot read ${path}: its keys of bucket ${id} do not match their checksum`,
    {
      subject: path,
      hint: "Restore the file from the bucket's versions or a copy of the zone",
    },
  );
}

/** The keys of buckets: a multirange of integers, or a JSON array of keys. */
async function currentKeys(
  client: pg.Client,
  table: ContractTable,
  options: { from: string; buckets: ScannedBucket[] },
): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  const unread: string[] = [];
  for (const { id, run } of options.buckets) {
    if (run === undefined) unread.push(id);
    else keys.set(id, run);
  }
  if (unread.length === 0) return keys;
  const integer = integerKey(table);
  const bucketMax = 2 ** BUCKET_BITS - 1;
  const sql = integer === undefined
    ? `select bucket as id, jsonb_agg(key::jsonb order by key)::text as keys
      from (select key, (hashtextextended(key, 0) & ${HASH_BUCKETS - 1})::text
        as bucket from (select ${keyText(table)} as key
        from ${options.from}) as keys) as bucketed
      where bucket = any($1::text[]) group by bucket`
    : `select bucket.id::text as id, range_agg(int8range(
        source.${quoteName(integer)}, source.${quoteName(integer)}, '[]')
        )::text as keys
      from unnest($1::bigint[]) as bucket (id)
      inner join ${options.from} as source
        on source.${quoteName(integer)} between (bucket.id << ${BUCKET_BITS})
        and (bucket.id << ${BUCKET_BITS}) + ${bucketMax}
      group by bucket.id`;
  for (const row of await query(client, sql, [unread])) {
    keys.set(row.id ?? "", row.keys ?? "");
  }
  return keys;
}

function keySignature(table: ContractTable): string {
  return table.key.map((name) => {
    const column = table.columns.find((one) => one.name === name);
    return `${name} ${column === undefined ? "" : typeSql(column.type)}`;
  }).join(", ");
}

function nextDigest(options: {
  key: string;
  previous: KeyDigest | undefined;
  unmoved: KeyBucket[];
  moved: ScannedBucket[];
  lines: string[];
  keysFile: string;
}): KeyDigest {
  const { key, previous, unmoved, moved, lines, keysFile } = options;
  const kept = [...new Set(unmoved.map(([, , , file]) => file))]
    .sort((a, b) => a - b);
  const files = kept.flatMap((file) => previous?.files[file] ?? []);
  const buckets = unmoved.map(
    ([id, rows, hash, file, ...place]): KeyBucket => [
      id,
      rows,
      hash,
      kept.indexOf(file),
      ...place,
    ],
  );
  let offset = 0;
  moved.forEach((bucket, index) => {
    const line = new TextEncoder().encode(lines[index]);
    const { id, rows, hash } = bucket;
    const { length } = line;
    const place = [files.length, offset, length, shortChecksum(line)] as const;
    buckets.push([id, rows, hash, ...place]);
    offset += length + 1;
  });
  if (moved.length > 0) {
    const { length: rows } = lines;
    const sha256 = sha256Hex(keysContent(lines));
    files.push({ key: keysFile, bytes: offset, rows, sha256 });
  }
  buckets.sort((a, b) => Number(a[0]) - Number(b[0]));
  return { key, files, buckets };
}

/** What the keys file holds. */
export function keysContent(lines: readonly string[]): Uint8Array {
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

/** A key of any columns and types as one text: a JSON array of texts. */
function keyText(table: ContractTable): string {
  const texts = table.key.map((column) => `${quoteName(column)}::text`);
  return `jsonb_build_array(${texts.join(", ")})::text`;
}

function deletedKeysSql(
  table: ContractTable,
  options: { oldKeys: string[]; newKeys: string[] },
): string {
  const { oldKeys, newKeys } = options;
  const integer = integerKey(table);
  if (integer !== undefined) {
    const multirange = (keys: string[]) => {
      const ranges = keys.map((text) => text.slice(1, -1)).filter(Boolean);
      return `${quoteText(`{${ranges.join()}}`)}::int8multirange`;
    };
    return `select key as ${quoteName(integer)}
      from unnest(${multirange(oldKeys)} - ${multirange(newKeys)})
        as missing (range),
        generate_series(lower(range), upper(range) - 1) as key order by key`;
  }
  const elements = (keys: string[]) => {
    const all = keys.map((text) => text.slice(1, -1)).filter(Boolean);
    return `select value from jsonb_array_elements(${
      quoteText(`[${all.join()}]`)
    }::jsonb)`;
  };
  const columns = table.key.map((name, index) => {
    const column = table.columns.find((one) => one.name === name);
    const type = column === undefined ? "text" : typeSql(column.type);
    return `(value ->> ${index})::${type} as ${quoteName(name)}`;
  });
  return `select ${columns.join(", ")} from (${elements(oldKeys)}
    except ${elements(newKeys)}) as missing order by value::text`;
}
