import { dataKey } from "../../lib/batches/batch_log.ts";
import { LAKE_WAY_BACK } from "../../lib/batches/live_files.ts";
import type { DataFile, LiveFile } from "../../lib/batches/manifest.ts";
import {
  type Column,
  columnsHash,
  describeColumns,
  readParquetSql,
} from "../../lib/duckdb/data_files.ts";
import { checkFiles } from "../../lib/batches/check_files.ts";
import { HOLDS_UNTIL_COLUMNS } from "../../lib/duckdb/version_columns.ts";
import { StageError } from "../../lib/errors.ts";
import { quoteNames } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import type { CompactionWork } from "./compact.ts";
import {
  countHeldSql,
  fileOrderSql,
  HOLDS_IN_FILE,
  holdsUntilSql,
} from "./holds_until_sql.ts";
import { joinedRange } from "./key_range.ts";
import { writeParquet } from "./write_parquet.ts";
import { sum } from "../../lib/batches/sum.ts";

const MERGE_WAY_BACK =
  "Nothing was committed, and the files are unchanged. If it happens again, run `./totesys rebuild processed`";

/**
 * Writes one file with the rows of several, all of their columns, and until
 * when each row holds among them, in the order of `fileOrderSql`. Files with
 * different columns stay unchanged: a column of only one would be lost or
 * change its type.
 */
export async function writeMerged(
  work: CompactionWork,
  options: { merge: readonly LiveFile[]; model: Pick<Model, "key"> },
): Promise<LiveFile | undefined> {
  const { duckdb, zone, batch, runId } = work;
  const { merge } = options;
  const [first] = merge;
  const last = merge.at(-1);
  if (first === undefined || last === undefined) throw new Error("No files");
  const { model, from } = first;
  const { to } = last;
  await checkFiles(zone, merge, { hint: LAKE_WAY_BACK });
  const columns = await sameColumns(work, merge);
  if (columns === undefined) return undefined;
  const key = options.model.key.filter((name) =>
    columns.some((column) => column.name === name)
  );
  // A part of the key can't show which version follows which.
  const isWhole = key.length === options.model.key.length;
  const versions = readParquetSql(zone, merge);
  const select = isWhole
    ? `from (${holdsUntilSql(versions, { columns, key })})
      order by ${fileOrderSql(key)}`
    : `select ${namesSql(columns)} from ${versions}
      order by ${quoteNames([...key, "batch"])}`;
  const before = await contentOf(work, { files: merge, columns });
  const held = isWhole ? await countHeld(work, { files: merge, key }) : 0;
  const part = `merged.${from}-${to}.parquet`;
  const file = await writeParquet(duckdb, select, {
    zone,
    key: dataKey(model, { batch, runId, part }),
    columns: isWhole ? [...columns, ...HOLDS_UNTIL_COLUMNS] : columns,
  });
  const problem = await mergeProblem(work, {
    listed: sum(merge, "rows"),
    before,
    file,
    columns,
    held: isWhole ? held : undefined,
  });
  if (problem !== undefined || file === undefined) {
    throw mergeError({ model, from, to }, problem);
  }
  const keyRange = joinedRange(merge, options.model.key);
  return {
    model,
    from,
    to,
    level: levelOfMerged(merge),
    ...file,
    columns: columnsHash(columns),
    ...isWhole ? { holdsUntilBy: key } : {},
    ...keyRange === undefined ? {} : { keyRange },
  };
}

function mergeError(
  { model, from, to }: Pick<LiveFile, "model" | "from" | "to">,
  problem: string | undefined,
): StageError {
  return new StageError(
    `Cannot merge the files of "${model}" of batches ${from} to ${to}: ${problem}`,
    { subject: model, hint: MERGE_WAY_BACK },
  );
}

/**
 * The level of files' merged file: the next, or that of the largest if smaller
 * ones are added to it.
 */
export function levelOfMerged(merge: readonly LiveFile[]): number {
  const levels = merge.map(({ level }) => level);
  const highest = Math.max(...levels);
  return Math.min(...levels) === highest ? highest + 1 : highest;
}

/**
 * How a merged file differs from its inputs: in its number of rows, in a hash
 * that ignores their order, or in how many hold at the end.
 */
async function mergeProblem(
  work: CompactionWork,
  options: {
    listed: number;
    before: FileContent;
    file: DataFile | undefined;
    columns: readonly Column[];
    held: number | undefined;
  },
): Promise<string | undefined> {
  const { listed, before, file, columns, held } = options;
  if (before.rows !== listed) {
    return `they hold ${before.rows} versions, the manifest says ${listed}`;
  }
  const after = file === undefined
    ? { rows: 0, hash: "" }
    : await contentOf(work, { files: [file], columns });
  if (after.rows !== listed) {
    return `${listed} versions went in, ${after.rows} came out`;
  }
  if (after.hash !== before.hash) {
    return "the content that came out differs from what went in";
  }
  if (held === undefined || file === undefined) return undefined;
  const holding = await countHolding(work, file);
  return holding === held
    ? undefined
    : `${held} keys have a version that holds, ${holding} came out`;
}

/** The columns of files, if all have the same; else undefined. */
async function sameColumns(
  work: CompactionWork,
  files: readonly LiveFile[],
): Promise<Column[] | undefined> {
  const [first] = files;
  if (first === undefined) return undefined;
  const columns = await fileColumns(work, first);
  const hash = columnsHash(columns);
  for (const file of files) {
    const own = file.columns ?? columnsHash(await fileColumns(work, file));
    if (own !== hash) return undefined;
  }
  return columns;
}

async function fileColumns(
  { duckdb, zone }: CompactionWork,
  file: LiveFile,
): Promise<Column[]> {
  const columns = await describeColumns(
    duckdb,
    `select * from ${readParquetSql(zone, [file])}`,
  );
  return columns.filter(({ name }) =>
    !HOLDS_UNTIL_COLUMNS.some((column) => column.name === name)
  );
}

interface FileContent {
  rows: number;
  hash: string;
}

/** The number of rows and the sum of their hashes. */
async function contentOf(
  { duckdb, zone }: CompactionWork,
  options: {
    files: readonly { key: string }[];
    columns: readonly Column[];
  },
): Promise<FileContent> {
  const { files, columns } = options;
  const [found] = await duckdb.rows(
    `select count(*) as rows, sum(hash(version)) as hash from (
      select ${namesSql(columns)}
      from ${readParquetSql(zone, files)}
    ) as version`,
  );
  return { rows: Number(found?.rows), hash: found?.hash ?? "" };
}

/** How many keys have a last version that isn't a delete. */
async function countHeld(
  { duckdb, zone }: CompactionWork,
  options: { files: readonly { key: string }[]; key: readonly string[] },
): Promise<number> {
  const { files, key } = options;
  const [found] = await duckdb.rows(
    countHeldSql(readParquetSql(zone, files), key),
  );
  return Number(found?.held);
}

/** How many versions hold at the end, according to a merged file. */
async function countHolding(
  { duckdb, zone }: CompactionWork,
  file: { key: string },
): Promise<number> {
  const [found] = await duckdb.rows(
    `select count(*) as held from ${readParquetSql(zone, [file])}
    where ${HOLDS_IN_FILE}`,
  );
  return Number(found?.held);
}

function namesSql(columns: readonly Column[]): string {
  return quoteNames(columns.map(({ name }) => name));
}
