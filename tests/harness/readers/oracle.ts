import assert from "node:assert/strict";
import type { ExtractOptions } from "../../../extract/extract.ts";
import { type DuckDb, openDuckDb } from "../../../lib/duckdb/duckdb.ts";
import { query } from "../../../lib/postgres/postgres.ts";
import { quoteText } from "../../../lib/sql/quote.ts";
import { openZone } from "../../../lib/zone/zone.ts";
import {
  type Company,
  type Expectation,
  TOTESYS,
} from "../companies/company.ts";
import { processedManifest } from "../manifests.ts";
import type { Platform } from "../platform.ts";
import type { TestDatabase } from "../servers/postgres.ts";

/** What every model should hold: its rows as texts, by model. */
export type State = Record<string, string[]>;

const QUARANTINE_COLUMNS = "table_name, row_key, reason, source_row";
const INTERVAL = "valid_from, valid_to, from_batch, to_batch";

/** Every tenth batch is read as of its time, too. */
const TIMES_EVERY = 10;

/** As of when a place is read, and whose tables are in it. */
export interface AsOf {
  batch?: number;
  time?: string;
  /** Totesys, where it isn't said. */
  company?: Company;
}

/** What the models should hold as the source is now, less the calendar. */
export function sourceState(
  { source }: { source: Pick<TestDatabase, "client"> },
  company: Company = TOTESYS,
): Promise<State> {
  return postgresState(
    source,
    Object.entries(company.models).map(([model, { source, columns }]) => ({
      model,
      sql: `select ${columns} from (${source}) as expected`,
      columns,
    })),
    company,
  );
}

/** What the warehouse holds now, or held after a batch or at a time. */
export function warehouseState(
  { warehouse }: { warehouse: Pick<TestDatabase, "client"> },
  asOf: AsOf = {},
): Promise<State> {
  const { company = TOTESYS } = asOf;
  const relation = (model: string) =>
    asOf.batch !== undefined
      ? `${model}_as_of_batch(${asOf.batch})`
      : asOf.time !== undefined
      ? `${model}_as_of_time('${asOf.time}')`
      : `${model}_current`;
  return postgresState(
    warehouse,
    Object.entries(columnsOf(company)).map(([model, columns]) => ({
      model,
      sql: `select ${columns} from ${relation(model)}`,
      columns,
    })),
    company,
  );
}

/** Opens the lake as an analyst would: by attaching `lake.duckdb`. */
export async function openLake(platform: Platform): Promise<DuckDb> {
  const { config } = platform;
  const duckdb = await openDuckDb(config, { zones: [config.processedUrl] });
  const lake = `${config.processedUrl}/lake.duckdb`;
  try {
    await duckdb.run(`attach ${quoteText(lake)} as totes (read_only)`);
    return duckdb;
  } catch (error) {
    await duckdb[Symbol.asyncDispose]();
    throw error;
  }
}

/** What the lake holds now, or held after a batch or at a time. */
export async function lakeState(
  duckdb: DuckDb,
  asOf: AsOf = {},
): Promise<State> {
  const { company = TOTESYS } = asOf;
  const state: State = {};
  for (const [model, columns] of Object.entries(columnsOf(company))) {
    const relation = asOf.batch !== undefined
      ? `totes.${model}_as_of_batch(${asOf.batch})`
      : asOf.time !== undefined
      ? `totes.${model}_as_of_time('${asOf.time}')`
      : `totes.${model}_current`;
    const rows = await duckdb.rows(`select ${columns} from ${relation}`);
    state[model] = rowTexts(
      columns,
      rows.map((row) => Object.values(row)),
      company,
    );
  }
  return state;
}

/**
 * Every version that the warehouse holds, by model, the quarantine's too: the
 * last four values are `valid_from`, `valid_to`, `from_batch`, `to_batch`.
 */
export function warehouseHistory(
  { warehouse }: { warehouse: Pick<TestDatabase, "client"> },
  company: Company = TOTESYS,
): Promise<State> {
  const interval = INTERVAL.replaceAll(/(valid_\w+)/g, "$1::timestamp");
  return postgresState(
    warehouse,
    Object.entries(historyColumnsOf(company)).map(([model, names]) => ({
      model,
      sql: `select ${names}, ${interval} from ${model}_history`,
      columns: `${names}, ${INTERVAL}`,
    })),
    company,
  );
}

/** The same of the lake. */
export async function lakeHistory(
  duckdb: DuckDb,
  company: Company = TOTESYS,
): Promise<State> {
  const state: State = {};
  for (const [model, names] of Object.entries(historyColumnsOf(company))) {
    const columns = `${names}, ${INTERVAL}`;
    const rows = await duckdb.rows(
      `select ${columns} from totes.${model}_history`,
    );
    state[model] = rowTexts(
      columns,
      rows.map((row) => Object.values(row)),
      company,
    );
  }
  return state;
}

/** What every view of a lake shows, as of each batch too. */
export async function lakeStates(
  platform: Platform,
  batches: number,
): Promise<State[]> {
  await using lake = await openLake(platform);
  const states = [await lakeState(lake), await lakeHistory(lake)];
  for (let batch = 1; batch <= batches; batch++) {
    const state = await lakeState(lake, { batch });
    states.push(state);
    if (batch % TIMES_EVERY !== 0) continue;
    const { snapshotTime } = await processedManifest(platform, batch);
    const time = snapshotTime.replace("Z", "");
    assertSame(await lakeState(lake, { time }), state, `as of ${time}`);
  }
  return states;
}

/** Fails where the lake and the warehouse tell a version differently. */
export function assertSameHistories(lake: State, warehouse: State): void {
  for (const model of modelsOf(lake, warehouse)) {
    assertSameRows(
      lake[model] ?? [],
      warehouse[model] ?? [],
      `the lake's history of ${model} and the warehouse's`,
    );
  }
}

/**
 * What the models should hold: the source's rows, but of one that holds what
 * is no date or no number, the version before, if there was any. A model whose
 * key is null or there twice stays as it was.
 */
export function expectedState(
  source: State,
  before: State,
  company: Company = TOTESYS,
): State {
  const state: State = {};
  const { calendar } = company;
  const dates = new Set(calendar && before[calendar]);
  for (const [model, expectation] of Object.entries(company.models)) {
    const rows = source[model] ?? [];
    if (expectation.quarantined === undefined) {
      state[model] = hasKeys(rows, expectation) ? rows : before[model] ?? [];
      continue;
    }
    const names = columnNames(expectation.columns);
    const earlier = new Map(
      before[model]?.map((row) => [keyOf(row, expectation), row]),
    );
    state[model] = rows.flatMap((row) => {
      const kept = isReadable(names, JSON.parse(row))
        ? row
        : earlier.get(keyOf(row, expectation));
      return kept ?? [];
    }).sort();
    for (const row of state[model]) {
      for (const [index, value] of JSON.parse(row).entries()) {
        if (names[index]?.endsWith("_date")) dates.add(JSON.stringify([value]));
      }
    }
  }
  if (calendar !== undefined) state[calendar] = [...dates].sort();
  return state;
}

/** The rows that can't be read, as the quarantine names them: table, key. */
export function unreadableKeys(
  source: State,
  company: Company = TOTESYS,
): string[] {
  return Object.entries(company.models).flatMap(([model, expectation]) => {
    const { quarantined } = expectation;
    if (quarantined === undefined) return [];
    const names = columnNames(expectation.columns);
    const rows = source[model] ?? [];
    return rows.map((row): (string | null)[] => JSON.parse(row))
      .filter((values) => !isReadable(names, values))
      .map((values) =>
        quarantined.key.map((name) => values[names.indexOf(name)])
      )
      .map((key) => key.length === 1 ? key.join() : `[${key.join(", ")}]`)
      .map((key) => `${quarantined.table} ${key}`);
  });
}

/** Whether each row has a key, and each key one row. */
export function hasKeys(
  rows: readonly string[],
  expectation: Expectation,
): boolean {
  const keys = new Set(rows.map((row) => keyOf(row, expectation)));
  return keys.size === rows.length &&
    ![...keys].some((key) => JSON.parse(key).includes(null));
}

/** The key of a row, as JSON. */
function keyOf(row: string, { keyLength = 1 }: Expectation): string {
  return JSON.stringify(JSON.parse(row).slice(0, keyLength));
}

function isReadable(
  names: string[],
  values: readonly (string | null)[],
): boolean {
  return values.every((value, index) =>
    value !== "NaN" && (!names[index]?.endsWith("_date") || isDate(value))
  );
}

function isDate(text: string | null): boolean {
  if (text === null || !/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && !text.startsWith("0000") &&
    date.toISOString().startsWith(text);
}

/** Fails with the first rows that differ. */
export function assertSame(actual: State, expected: State, what: string): void {
  for (const model of modelsOf(actual, expected)) {
    assertSameRows(
      actual[model] ?? [],
      expected[model] ?? [],
      `${what}: ${model}`,
    );
  }
}

/** The models of two states, which one of them may lack. */
function modelsOf(one: State, other: State): Set<string> {
  return new Set([...Object.keys(one), ...Object.keys(other)]);
}

function assertSameRows(got: string[], want: string[], what: string): void {
  const known = new Set(got);
  const wanted = new Set(want);
  const missing = want.filter((row) => !known.has(row)).slice(0, 3);
  const extra = got.filter((row) => !wanted.has(row)).slice(0, 3);
  assert.deepEqual(
    { rows: got.length, missing, extra },
    { rows: want.length, missing: [], extra: [] },
    what,
  );
}

/**
 * The states of a source after each batch, to be compared with what the
 * warehouse and the lake hold and held.
 */
export class History {
  readonly #states = new Map<number, { state: State; time: string }>();
  #newest: State = {};

  constructor(readonly platform: Platform) {}

  /** Runs the pipeline and compares the warehouse and the lake with the source. */
  async step(): Promise<number> {
    const { platform } = this;
    const batch = await this.extract();
    await platform.transform();
    await platform.load();
    await this.compareNow();
    return batch;
  }

  /** Extracts alone, while nothing is written, and keeps the source's state. */
  async extract(options?: ExtractOptions): Promise<number> {
    const extracted = await this.platform.extract(options);
    const [batch] = extracted.batches;
    if (batch === undefined) throw new Error("extract committed no batch");
    const state = await sourceState(this.platform);
    this.record(batch, state, extracted.snapshotTime ?? "");
    return batch;
  }

  /** Keeps the source's state for the next batch. */
  record(batch: number, source: State, time: string): void {
    this.#newest = this.expect(source);
    this.#states.set(batch, { state: this.#newest, time });
  }

  /** What the models should hold once the next batch brings this. */
  expect(source: State): State {
    return expectedState(source, this.#newest);
  }

  /** What the models should hold after a batch. */
  stateOf(batch: number): State {
    return this.#states.get(batch)?.state ?? {};
  }

  async compareNow(state: State = this.#newest): Promise<void> {
    assertSame(await warehouseState(this.platform), state, "warehouse now");
    await using lake = await openLake(this.platform);
    assertSame(await lakeState(lake), state, "lake now");
  }

  /** Compares every batch as of its number and of its time, and intervals. */
  async compareAll(): Promise<void> {
    await using lake = await openLake(this.platform);
    for (const [batch, { state, time }] of this.#states) {
      const what = `as of batch ${batch}`;
      assertSame(await warehouseState(this.platform, { batch }), state, what);
      assertSame(await lakeState(lake, { batch }), state, `lake ${what}`);
      assertSame(
        await warehouseState(this.platform, { time }),
        state,
        `${what} by time`,
      );
      assertSame(
        await lakeState(lake, { time: time }),
        state,
        `lake ${what} by time`,
      );
    }
    await this.compareHistories(lake);
    await this.checkIntervals();
    await this.checkDates();
    await assertNothingTwice(lake);
  }

  /** The warehouse and the lake tell the same of every version. */
  async compareHistories(lake: DuckDb): Promise<void> {
    assertSameHistories(
      await lakeHistory(lake),
      await warehouseHistory(this.platform),
    );
  }

  /** Intervals of a key don't overlap, and at most one is open. */
  async checkIntervals(): Promise<void> {
    for (const [model, columns] of Object.entries(columnsOf(TOTESYS))) {
      const key = columnNames(columns)[0];
      const wrong = await query(
        this.platform.warehouse.client,
        `select one.${key} from ${model}_history as one
        inner join ${model}_history as other on one.${key} = other.${key}
          and one.from_batch < other.from_batch
        where one.to_batch is null or one.to_batch > other.from_batch
          or one.valid_to > other.valid_from
        union all
        select ${key} from ${model}_history
        where valid_from >= valid_to or from_batch >= to_batch`,
      );
      assert.deepEqual(wrong, [], `intervals of ${model}`);
    }
  }

  /** dim_date has every date that a fact names, right in its parts. */
  async checkDates(): Promise<void> {
    const { client } = this.platform.warehouse;
    const wrong = await query(
      client,
      `select date_id from dim_date
      where year <> extract(year from date_id)
        or month <> extract(month from date_id)
        or day <> extract(day from date_id)
        or quarter <> extract(quarter from date_id)
        or day_of_week <> extract(isodow from date_id)
        or day_name <> to_char(date_id, 'FMDay')
        or month_name <> to_char(date_id, 'FMMonth') or is_placeholder`,
    );
    assert.deepEqual(wrong, []);
  }
}

/** Fails if a batch of the lake holds a version that the one before held alike. */
export async function assertNothingTwice(
  lake: DuckDb,
  company: Company = TOTESYS,
): Promise<void> {
  for (const [model, columns] of Object.entries(columnsOf(company))) {
    const key = columnNames(columns)
      .slice(0, company.models[model]?.keyLength ?? 1);
    const sameKey = key.map((name) => `one.${name} = other.${name}`);
    const rows = await lake.rows(
      `select * exclude (valid_from, valid_to, from_batch, to_batch),
        count(*) as times
      from (
        select one.* from totes.${model}_history as one
        inner join totes.${model}_history as other
          on ${sameKey.join(" and ")} and one.to_batch = other.from_batch
        where hash(struct_pack(${structOf(columns, "one")}))
          = hash(struct_pack(${structOf(columns, "other")}))
      ) group by all`,
    );
    assert.deepEqual(rows, [], `sent twice: ${model}`);
  }
}

/** The keys of the files in a zone. */
export async function zoneKeys(
  platform: Platform,
  zone: "ingestionUrl" | "processedUrl",
): Promise<string[]> {
  const opened = openZone(platform.config[zone], { s3: platform.config.s3 });
  const files = await Array.fromAsync(opened.list(""));
  opened.close();
  return files.map((file) => file.key);
}

/** The columns by which each model is compared. */
function columnsOf(
  { models, calendar }: Company,
): Readonly<Record<string, string>> {
  return {
    ...Object.fromEntries(
      Object.entries(models).map(([model, { columns }]) => [model, columns]),
    ),
    ...calendar === undefined ? {} : { [calendar]: "date_id" },
  };
}

function historyColumnsOf(company: Company): Readonly<Record<string, string>> {
  return { ...columnsOf(company), quarantine: QUARANTINE_COLUMNS };
}

function structOf(columns: string, relation: string): string {
  return columnNames(columns)
    .map((column) => `${column} := ${relation}.${column}`).join(", ");
}

/** The rows of several queries, in one round trip. */
async function postgresState(
  { client }: Pick<TestDatabase, "client">,
  queries: { model: string; sql: string; columns: string }[],
  company: Company,
): Promise<State> {
  const results = await client.query({
    text: ["set timezone to 'UTC'", ...queries.map(({ sql }) => sql)].join(";"),
    rowMode: "array",
    types: { getTypeParser: () => (text: string) => text },
  }) as unknown as { rows: (string | null)[][] }[];
  return Object.fromEntries(
    queries.map(({ model, columns }, index) => [
      model,
      rowTexts(columns, results[index + 1]?.rows ?? [], company),
    ]),
  );
}

/** Rows as JSON, in order; the engines write truth values differently. */
function rowTexts(
  columns: string,
  rows: (string | null)[][],
  { truthColumns }: Company,
): string[] {
  const truth = columnNames(columns).map((name) => truthColumns.has(name));
  const rowText = (row: (string | null)[]) =>
    JSON.stringify(
      row.map((value, index) => truth[index] ? value?.[0] : value),
    );
  return rows.map(rowText).sort();
}

function columnNames(columns: string): string[] {
  return columns.split(",").map((column) => column.trim());
}
