import { escapedName } from "../lib/batches/escaped_name.ts";
import { quoteName } from "../lib/sql/quote.ts";
import {
  type ContractTable,
  integerKey,
  typeSql,
} from "../lib/project/contract.ts";
import type { LiveTable } from "./live_table.ts";
import { readableSql } from "./shipped_rows.ts";

/**
 * How the keys of a table are divided into buckets, and the SQL for it. A
 * bucket's keys are kept as one text, its list: a multirange whose integers are
 * the keys, or a JSON array.
 */
export interface KeySql {
  /** The key's columns with their types, and how buckets are chosen. */
  signature: string;
  /**
   * Selects each bucket's id, rows, hash, rows to ship, the age of the newest of
   * these, the most bytes that its list can take, and the list itself if it is a
   * run without gaps.
   */
  buckets: (unshippedSql: string) => string;
  /** A condition for a bucket's rows that an index answers, if there is one. */
  within: (bucket: string) => string | undefined;
  /** Selects id and list of the buckets in $1, in order of their ids. */
  lists: string;
  /** Selects the keys that are in `before` and not in `now`, both SQL. */
  missing: (lists: { before: string; now: string }) => string;
}

/** An integer key's bucket is the key without its last 14 bits. */
const BUCKET_BITS = 14;
/** A key's place in its bucket. */
const PLACE_MASK = 2 ** BUCKET_BITS - 1;
/** Other keys are hashed, as text, into this many buckets. */
const HASH_BUCKETS = 1024;
/** Integers in more buckets than this are sparse if there are fewer ... */
const BUCKETS_MIN = 1024;
/** ... than this many rows in each, on average. */
const ROWS_OF_BUCKET_MIN = 64;

/** Divides keys into buckets by a hash of their text. */
export function hashedKeySql(table: LiveTable): KeySql {
  const { contract, from } = table;
  const signature = signatureOf(contract);
  const bucket = `pg_catalog.hashtextextended(key, 0) & ${HASH_BUCKETS - 1}`;
  const key = keyJsonSql(table);
  const columns = contract.key.map((name, index) =>
    `(value ->> ${index})::${columnType(contract, name)} as ${quoteName(name)}`
  );
  const elements = (list: string) =>
    `select value from jsonb_array_elements(('[' || ${list} || ']')::jsonb)`;
  return {
    signature: integerKey(contract) === undefined
      ? signature
      : `${signature} by hash`,
    buckets: (unshippedSql) =>
      `select (${bucket})::text as id, count(*) as rows,
        bit_xor(pg_catalog.hashtextextended(key, 1)) as hash,
        count(*) filter (where unshipped) as unshipped,
        min(age) filter (where unshipped) as newest_age,
        sum(octet_length(key) + 2) as bytes, null as run
      from (select ${key} as key, ${unshippedSql} as unshipped,
          age(xmin) as age
        from ${from}) as keys
      group by ${bucket}`,
    within: () => undefined,
    lists: `select bucket::text as id,
        '[' || string_agg(key, ', ' order by key collate "C") || ']' as list
      from (select key, ${bucket} as bucket
        from (select ${key} as key from ${from}) as keys) as bucketed
      where bucket = any($1::bigint[]) group by bucket order by bucket`,
    missing: ({ before, now }) =>
      `select ${columns.join(", ")} from (${elements(before)}
        except ${elements(now)}) as missing order by value::text`,
  };
}

/** SQL for a row's key as text: a JSON array of its columns' texts. */
export function keyJsonSql(table: LiveTable): string {
  const texts = table.contract.key.map((column) =>
    readableSql(table, `${quoteName(column)}::text`)
  );
  return `pg_catalog.jsonb_build_array(${texts.join(", ")})::text`;
}

/** Divides integer keys into buckets by their value. */
export function integerKeySql(
  { contract, from }: LiveTable,
  column: string,
): KeySql {
  const name = quoteName(column);
  // Of the key's own type: a cast for each row costs an eighth of the scan.
  const bucket = `${name} >> ${BUCKET_BITS}`;
  const within = (id: string) =>
    `${name} between (${id} << ${BUCKET_BITS})
      and (${id} << ${BUCKET_BITS}) + ${PLACE_MASK}`;
  const first = `min(${name})::bigint`;
  const last = `max(${name})::bigint`;
  // A range of bigint can't hold the largest bigint: its end would be one more.
  const multirange = (list: string) => `('{' || ${list} || '}')::nummultirange`;
  return {
    signature: signatureOf(contract),
    // A list has at most one range per key, and one more than it has gaps.
    // Grouped by the number itself: a text of it for each row takes as long as
    // all the rest.
    buckets: (unshippedSql) =>
      `select (${bucket})::text as id,
        count(*) as rows, bit_xor(pg_catalog.hashint8extended(${name}, 0)) as hash,
        count(*) filter (where ${unshippedSql}) as unshipped,
        min(age(xmin)) filter (where ${unshippedSql}) as newest_age,
        least(count(*), ${last} - ${first} + 2 - count(*))
          * (6 + 2 * greatest(length(${first}::text), length(${last}::text)))
          + 2 as bytes,
        case when count(*) - 1 = ${last} - ${first}
          then '{[' || ${first} || ',' || ${last} || ']}' end as run
      from ${from} group by ${bucket}`,
    within: (id) => within(`'${id}'::bigint`),
    // One range for all keys that follow each other: as each is one more than
    // the key before, it is as far from its place in the order.
    lists: `select bucket.id::text as id, ranges.list
      from (select id from pg_catalog.unnest($1::bigint[]) as given (id) order by id)
        as bucket
      cross join lateral (
        select pg_catalog.range_agg(pg_catalog.numrange(first, last::numeric + 1))::text as list
        from (
          select min(key) as first, max(key) as last
          from (
            select ${name}::bigint as key, (${name}::bigint & ${PLACE_MASK})
              - row_number() over (order by ${name}) as distance
            from ${from} as source
            where source.${within("bucket.id")}
          ) as keys
          group by distance
        ) as runs
      ) as ranges
      order by bucket.id`,
    missing: ({ before, now }) =>
      `select key as ${name}
      from pg_catalog.unnest(${multirange(before)} - ${multirange(now)})
        as missing (range),
        generate_series(
          pg_catalog.lower(range) + (not pg_catalog.lower_inc(range))::integer,
          pg_catalog.upper(range) - (not pg_catalog.upper_inc(range))::integer
        ) as key order by key`,
  };
}

/**
 * Selects whether an integer key may need many buckets: an index on the key
 * answers that without a scan.
 */
export function widthSql({ from }: LiveTable, column: string): string {
  const name = quoteName(column);
  return `select (${bucketSql("last")}) - (${
    bucketSql("first")
  }) >= ${BUCKETS_MIN} as wide
    from (select min(${name}) as first, max(${name}) as last from ${from})
      as ends`;
}

/** Selects whether an integer key needs many buckets for few rows in each. */
export function sparsenessSql({ from }: LiveTable, column: string): string {
  return `select count(*) > greatest(${BUCKETS_MIN},
      sum(rows) / ${ROWS_OF_BUCKET_MIN}) as sparse
    from (select count(*) as rows from ${from}
      group by ${bucketSql(quoteName(column))}) as buckets`;
}

function bucketSql(value: string): string {
  return `${value}::bigint >> ${BUCKET_BITS}`;
}

function signatureOf(table: ContractTable): string {
  return table.key.map((name) =>
    `${escapedName(name)} ${columnType(table, name)}`
  )
    .join(", ");
}

function columnType(table: ContractTable, name: string): string {
  const column = table.columns.find((one) => one.name === name);
  return column === undefined ? "text" : typeSql(column.type);
}
