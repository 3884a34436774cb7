import type pg from "pg";
import { TOTESYS } from "../../demo/examples.ts";
import { extract } from "../../extract/extract.ts";
import { openLog } from "../../lib/log.ts";
import { WarmConnections } from "../../lib/postgres/warm_connections.ts";
import { readProjectSql } from "../../lib/project/project_sql.ts";
import { readConfig } from "../../lib/settings/config.ts";
import { RESOURCES, type StageContext } from "../../lib/stage.ts";
import { stageContext } from "../../lib/stage_context.ts";
import { load } from "../../load/load.ts";
import { transform } from "../../transform/transform.ts";

/** How batches are made. */
export interface YearOptions {
  env: Readonly<Record<string, string>>;
  /** A connection to the source, to write with. */
  source: pg.Client;
  /** How many batches are extracted before transform runs for them. */
  group: number;
}

/** A fixed time, so that each run writes the same. */
const STAMP = "timestamp '2024-11-04 09:00'";
const MINUTES = 15;
/** Every fourth batch changes more than sales orders. */
const MORE_EVERY = 4;
/** Every twentieth batch changes dimensions. */
const DIMENSIONS_EVERY = 20;
/** Before a measurement, each stage runs for each of this many batches. */
const ONE_BY_ONE_MIN = 50;

/**
 * A lake and a warehouse that get batch after batch from the stages themselves,
 * in this process and with connections kept, as in `deno task run`. The source
 * keeps its size: only history grows.
 */
export class YearOfBatches implements AsyncDisposable {
  #batches = 0;

  private constructor(
    private readonly context: StageContext,
    private readonly warm: WarmConnections,
    private readonly options: YearOptions,
  ) {}

  static async open(options: YearOptions): Promise<YearOfBatches> {
    const { env } = options;
    const root = await openLog({
      json: true,
      color: false,
      write: (line) => {
        if (/"level":"(ERROR|FATAL)"/i.test(line)) console.error(line);
      },
    });
    const context = stageContext({
      config: readConfig((name) => env[name], [
        "source",
        "warehouse",
        "ingestion",
        "processed",
      ]),
      sql: readProjectSql(TOTESYS.sqlDirectory),
      log: root.getChild("bench"),
      show: undefined,
      signal: new AbortController().signal,
    });
    const warm = new WarmConnections(RESOURCES.connect);
    const resources = { ...RESOURCES, connect: warm.connect };
    return new YearOfBatches({ ...context, resources }, warm, options);
  }

  /** How many batches there are, as far as counted here. */
  get batches(): number {
    return this.#batches;
  }

  /** Changes a few rows of the source, chosen by the next batch's number. */
  async change(): Promise<void> {
    await this.options.source.query(changeSql(this.#batches + 1));
  }

  /** Counts a batch that another process has made. */
  count(): void {
    this.#batches++;
  }

  /**
   * Makes batches up to this number: most in groups, as a transform that was
   * late would, and the last ones one by one. A group gets the same files as
   * its batches would have been merged into, so that readers find what they
   * would find in a lake made batch by batch. While a group is extracted, the
   * one before it is loaded.
   */
  async growTo(batches: number): Promise<void> {
    const { group } = this.options;
    while (this.#batches + group <= batches - ONE_BY_ONE_MIN) {
      await Promise.all([this.#extract(group), load(this.context)]);
      await transform(this.context);
    }
    await load(this.context);
    while (this.#batches < batches) {
      await this.#extract(1);
      await transform(this.context);
      await load(this.context);
    }
  }

  async #extract(count: number): Promise<void> {
    for (let made = 0; made < count; made++) {
      await this.change();
      await extract(this.context);
      this.count();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.warm[Symbol.asyncDispose]();
  }
}

/**
 * SQL that changes four sales orders, and every few batches other orders and
 * payments, of which it deletes one and inserts one; now and then also a member
 * of staff and a design, so that dimensions have a history, too.
 */
function changeSql(batch: number): string {
  const at = `${STAMP} + ${batch} * interval '${MINUTES} min'`;
  const some = (table: string, rows: number) =>
    `last_updated = ${at} where ${table}_id in (
      select ${table}_id from ${table} order by ${table}_id
      offset ${batch * rows} % (select count(*) - ${rows} from ${table})
      limit ${rows})`;
  const changes = [
    `update sales_order set units_sold = 1 + (units_sold + 7) % 1000,
      ${some("sales_order", 4)}`,
  ];
  if (batch % MORE_EVERY === 0) {
    changes.push(
      `update purchase_order set item_quantity = 1 + (item_quantity + 7) % 1000,
        ${some("purchase_order", 1)}`,
      `update payment set paid = not paid, ${some("payment", 2)}`,
      `with gone as (
        delete from payment
        where payment_id = (select min(payment_id) from payment) returning *
      ) insert into payment
      select (select max(payment_id) + 1 from payment), ${at}, ${at},
        transaction_id, counterparty_id, payment_amount, currency_id,
        payment_type_id, paid, payment_date, company_ac_number,
        counterparty_ac_number
      from gone`,
    );
  }
  if (batch % DIMENSIONS_EVERY === 0) {
    changes.push(
      `update staff set email_address = 'staff.${batch}@example.com',
        ${some("staff", 1)}`,
      `update design set file_name = 'design-${batch}.json',
        ${some("design", 1)}`,
    );
  }
  return changes.join(";\n");
}
