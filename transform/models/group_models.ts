import { emptyModelSql } from "../../lib/models/empty_relation.ts";
import type { ModelColumn } from "../../lib/models/model_column.ts";
import { readColumnsSql } from "../../lib/duckdb/data_files.ts";
import {
  HOLDS_UNTIL_COLUMNS,
  STAMP_COLUMNS,
} from "../../lib/duckdb/version_columns.ts";
import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import type { ContractTable } from "../../lib/project/contract.ts";
import type { ModelSql } from "../../lib/project/project_sql.ts";
import {
  type BatchContent,
  columnsOf,
  keepState,
  stateBefore,
} from "../batches/batch_work.ts";
import { brokenRule } from "../checks/broken_rule.ts";
import {
  type GroupContent,
  type GroupedModel,
  groupedTable,
  type GroupWork,
  ROUND,
} from "../batches/group_work.ts";
import { fileOrderSql, holdsUntilSql } from "../files/holds_until_sql.ts";
import { IS_GONE, ROW_BATCH } from "../tables/land_table.ts";
import { insertVersions, made, VERSION } from "./made_versions.ts";
import { groupJoins } from "./group_joins.ts";
import { keyOfSource } from "./make_rows.ts";
import { knownState } from "./make_set.ts";
import { writeVersionFile } from "../files/write_versions.ts";

/** The snapshot time of each batch of the group. */
const BATCHES = "memory.main.group_batches";

interface GroupInput {
  /** Those with rows or deletes in some batch of the group. */
  tables: readonly ContractTable[];
  /** How often a key of each occurs at most. */
  rounds: ReadonlyMap<string, number>;
}

/**
 * Makes the versions that the batches of a group add to every model.
 */
export class GroupModels {
  readonly #work: GroupWork;
  readonly #input: GroupInput;

  constructor(work: GroupWork, input: GroupInput) {
    this.#work = work;
    this.#input = input;
  }

  async make(): Promise<GroupContent> {
    const { sql, previous, inputs, duckdb } = this.#work;
    const content: BatchContent = {
      models: {},
      state: { ...previous.state },
      quarantined: previous.quarantined,
    };
    const batches = inputs.map(({ batch, snapshotTime }) =>
      `(${batch}, cast(${quoteText(snapshotTime)} as timestamp))`
    );
    await duckdb.run(
      `create or replace table ${BATCHES} (batch bigint, snapshot_time timestamp);
      insert into ${BATCHES} values ${batches.join(", ")}`,
    );
    const { rounds } = this.#input;
    const affected = sql.models.filter(({ reads }) =>
      reads.some((table) => rounds.has(table))
    );
    for (const model of affected) await this.#openModel(model);
    for (const model of affected) {
      if (model.derivation === "row") await this.#rows(model);
      if (model.derivation === "set") await this.#set(model, content);
    }
    await groupJoins(this.#work, {
      models: affected.filter(({ derivation }) => derivation === "join"),
      isRead: (table) => rounds.has(table),
      content,
    });
    const models = new Map<string, GroupedModel>();
    for (const model of affected) {
      const made = await this.#write(model);
      if (made !== undefined) models.set(model.name, made);
    }
    return { models, state: content.state };
  }

  /** Creates the table in which a model's versions are collected. */
  async #openModel(model: ModelSql): Promise<void> {
    await this.#work.duckdb.run(
      `create or replace table ${made(model)} as ${
        emptyModelSql([...this.#columns(model), ...VERSION])
      }`,
    );
  }

  #columns(model: ModelSql): readonly ModelColumn[] {
    return columnsOf(this.#work, model.name);
  }

  /** Each turn sees every key once, so that a version's batch is its row's. */
  async #rows(model: ModelSql): Promise<void> {
    const { duckdb } = this.#work;
    const columns = this.#columns(model);
    const [source = ""] = model.reads;
    const names = quoteNames(columns.map(({ name }) => name));
    const key = quoteNames(model.key);
    const keysOf = (where: string) =>
      `select ${
        model.key.map((name) => keyOfSource(columns, name)).join(", ")
      }, ${ROW_BATCH} as batch, true as is_delete
      from ${groupedTable(source)} as source where ${where}`;
    await insertVersions(this.#work, { model, versions: `${keysOf(IS_GONE)}` });
    const result = `result_after.${quoteName(model.name)}`;
    const turns = this.#input.rounds.get(source) ?? 0;
    for (let turn = 1; turn <= turns; turn++) {
      await this.#show(source, `${ROUND} = ${turn}`);
      await duckdb.run(`create or replace table ${result} as ${model.sql}`);
      const rows = keysOf(`${ROUND} = ${turn} and not ${IS_GONE}`);
      await insertVersions(this.#work, {
        model,
        versions: `select ${names}, batch, false as is_delete from ${result}
        left join (select ${key}, batch from (${rows})) using (${key})`,
      });
      // A row that the model leaves out is no longer part of it.
      await insertVersions(this.#work, {
        model,
        versions: `from (${rows}) anti join ${result} using (${key})`,
      });
    }
  }

  /** Shows models those of a table's rows that meet a condition. */
  async #show(table: string, condition: string): Promise<void> {
    const found = this.#input.tables.find(({ name }) => name === table);
    if (found === undefined) return;
    await this.#work.duckdb.run(
      `create or replace view changed.${quoteName(table)} as select ${
        quoteNames(found.columns.map(({ name }) => name))
      } from ${groupedTable(table)} where ${condition} and not ${IS_GONE}`,
    );
  }

  /** Looks for rows that are not known yet in fewer and fewer batches. */
  async #set(model: ModelSql, content: BatchContent): Promise<void> {
    const { duckdb, processed, inputs } = this.#work;
    const columns = this.#columns(model);
    const state = await stateBefore(this.#work, knownState(model.name));
    const known = `known_before.${quoteName(model.name)}`;
    await duckdb.run(
      `create or replace table ${known} as ${
        state === undefined
          ? emptyModelSql(columns)
          : `from ${readColumnsSql(processed, [state], columns)}`
      }`,
    );
    await this.#findNew(model, inputs.map(({ batch }) => batch));
    const [found] = await duckdb.rows(
      `select count(*) as rows from ${made(model)}`,
    );
    if (found?.rows === "0") return;
    await this.#keep(knownState(model.name), {
      select: `from ${known} order by ${quoteNames(model.key)}`,
      content,
    });
  }

  async #findNew(model: ModelSql, batches: readonly number[]): Promise<void> {
    const { duckdb } = this.#work;
    const names = quoteNames(this.#columns(model).map(({ name }) => name));
    const key = quoteNames(model.key);
    const [first, last] = [batches[0], batches.at(-1)];
    for (const table of model.reads) {
      await this.#show(table, `${ROW_BATCH} between ${first} and ${last}`);
    }
    const known = `known_before.${quoteName(model.name)}`;
    const found = `known_after.${quoteName(model.name)}`;
    await duckdb.run(
      `create or replace table ${found} as select ${names}
      from (${model.sql}) where ((${key}) in (
        select (${key}) from ${known})) is not true`,
    );
    const [counted] = await duckdb.rows(
      `select count(*) as rows from ${found}`,
    );
    if (counted?.rows === "0") return;
    if (batches.length > 1) {
      const half = Math.ceil(batches.length / 2);
      await this.#findNew(model, batches.slice(0, half));
      return await this.#findNew(model, batches.slice(half));
    }
    await insertVersions(this.#work, {
      model,
      versions: `select *, ${first} as batch, false as is_delete from ${found}`,
    });
    await duckdb.run(`insert into ${known} from ${found}`);
  }

  async #write(model: ModelSql): Promise<GroupedModel | undefined> {
    const { duckdb, inputs, input, written } = this.#work;
    const columns = this.#columns(model);
    const error = await brokenRule(duckdb, {
      model: { ...model, key: [...model.key, "batch"] },
      columns,
      rows: made(model),
      areVersions: true,
      batch: input.batch,
    });
    if (error !== undefined) throw error;
    const stamped = [...columns, ...STAMP_COLUMNS];
    const names = quoteNames(stamped.map(({ name }) => name));
    const versions = holdsUntilSql(
      `(select ${names} from ${
        made(model)
      } inner join ${BATCHES} using (batch))`,
      { columns: stamped, key: model.key },
    );
    const file = await writeVersionFile(this.#work, {
      model,
      columns,
      versions: `from (${versions}) order by ${fileOrderSql(model.key)}`,
      part: `merged.${inputs[0]?.batch}-${input.batch}.parquet`,
      beside: HOLDS_UNTIL_COLUMNS,
    });
    if (file === undefined) return undefined;
    written.push(file.file.key);
    const counts = await duckdb.rows(
      `select batch, count(*) as rows, count_if(is_delete) as deletes
      from ${made(model)} group by batch`,
    );
    return {
      file: file.file,
      columns: file.columns,
      holdsUntilBy: model.key,
      batches: new Map(
        counts.map(({ batch, rows, deletes }) => [
          Number(batch),
          { rows: Number(rows), deletes: Number(deletes) },
        ]),
      ),
    };
  }

  async #keep(
    name: string,
    options: { select: string; content: BatchContent },
  ): Promise<void> {
    const { content } = options;
    await keepState(this.#work, { name, ...options });
    const kept = content.state[name];
    if (kept !== undefined) this.#work.written.push(kept.key);
  }
}
