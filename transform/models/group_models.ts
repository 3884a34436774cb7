import {
  emptyModelSql,
  emptyTableSql,
} from "../../lib/models/empty_relation.ts";
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
import { brokenRule } from "../checks/check_versions.ts";
import {
  type GroupContent,
  type GroupedModel,
  groupedTable,
  type GroupWork,
  ROUND,
} from "../batches/group_work.ts";
import { fileOrderSql, holdsUntilSql } from "../files/holds_until_sql.ts";
import { IS_GONE, ROW_BATCH } from "../tables/land_table.ts";
import { keyOfSource } from "./make_rows.ts";
import { knownState } from "./make_set.ts";
import { differenceSql, missingKeysSql } from "./model_changes.ts";
import { keepTable, tableBefore, tableFiles } from "../tables/table_state.ts";
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
 * Makes the versions that the batches of a group add to every model. One class,
 * though the file is over 300 lines: its steps share the group's tables in
 * DuckDB, which only make sense together.
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
    await this.#joins(
      affected.filter(({ derivation }) => derivation === "join"),
      content,
    );
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
        emptyModelSql([...this.#columns(model), BATCH, DELETE])
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
    await this.#insert(model, `${keysOf(IS_GONE)}`);
    const result = `result_after.${quoteName(model.name)}`;
    const turns = this.#input.rounds.get(source) ?? 0;
    for (let turn = 1; turn <= turns; turn++) {
      await this.#show(source, `${ROUND} = ${turn}`);
      await duckdb.run(`create or replace table ${result} as ${model.sql}`);
      const rows = keysOf(`${ROUND} = ${turn} and not ${IS_GONE}`);
      await this.#insert(
        model,
        `select ${names}, batch, false as is_delete from ${result}
        left join (select ${key}, batch from (${rows})) using (${key})`,
      );
      // A row that the model leaves out is no longer part of it.
      await this.#insert(
        model,
        `from (${rows}) anti join ${result} using (${key})`,
      );
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

  async #insert(model: ModelSql, versions: string): Promise<void> {
    await this.#work.duckdb.run(
      `insert into ${made(model)} by name ${versions}`,
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
    await this.#insert(
      model,
      `select *, ${first} as batch, false as is_delete from ${found}`,
    );
    await duckdb.run(`insert into ${known} from ${found}`);
  }

  /**
   * Goes batch by batch through those that changed a table which a join reads.
   */
  async #joins(
    models: readonly ModelSql[],
    content: BatchContent,
  ): Promise<void> {
    const { duckdb, sql, inputs } = this.#work;
    const { rounds } = this.#input;
    const needed = new Set(models.flatMap(({ reads }) => reads));
    const tables = sql.tables.filter(({ name }) => needed.has(name));
    for (const table of tables) await this.#openCurrent(table);
    for (const model of models) {
      await duckdb.run(
        `create or replace table result_before.${
          quoteName(model.name)
        } as ${model.sql}`,
      );
    }
    for (const { batch } of inputs) {
      const moved = new Set<string>();
      for (const table of tables) {
        if (await this.#moveCurrent(table, batch)) moved.add(table.name);
      }
      for (const model of models) {
        if (!model.reads.some((table) => moved.has(table))) continue;
        await this.#join(model, batch);
      }
    }
    for (const table of tables) {
      if (!rounds.has(table.name)) continue;
      await keepTable(this.#work, {
        table,
        content,
        whole: `from ${groupedCurrent(table)}`,
      });
      this.#work.written.push(
        ...tableFiles(content.state, table.name).map(({ key }) => key),
      );
    }
  }

  async #openCurrent(table: ContractTable): Promise<void> {
    const { duckdb } = this.#work;
    const name = quoteName(table.name);
    const before = await tableBefore(this.#work, table);
    if (before === undefined) this.#checkEmpty(table.name);
    await duckdb.run(
      `create or replace table ${groupedCurrent(table)} as ${
        before ?? emptyTableSql(table)
      };
      create or replace view current.${name} as from ${groupedCurrent(table)}`,
    );
  }

  /** Checks that a table that is not kept had no rows before the group. */
  #checkEmpty(name: string): void {
    const first = this.#work.inputs[0]?.tables[name];
    const missing = (first?.sourceRows ?? 0) -
      (first?.rows ?? []).reduce((sum, { rows }) => sum + rows, 0);
    if (missing > 0) throw new Error(`"${name}" was not kept before`);
  }

  /** Brings a table to the end of a batch; returns whether it changed. */
  async #moveCurrent(table: ContractTable, batch: number): Promise<boolean> {
    const { duckdb, inputs } = this.#work;
    const ingested = inputs.find((one) => one.batch === batch)
      ?.tables[table.name];
    const files = [...ingested?.rows ?? [], ...ingested?.deletes ?? []];
    if (files.length === 0) return false;
    const key = quoteNames(table.key);
    const columns = quoteNames(table.columns.map(({ name }) => name));
    const target = groupedCurrent(table);
    const rows = `${groupedTable(table.name)} where ${ROW_BATCH} = ${batch}`;
    await duckdb.run(
      `delete from ${target} where (${key}) in (select (${key}) from ${rows});
      insert into ${target} by name
        select ${columns} from ${rows} and not ${IS_GONE}`,
    );
    return true;
  }

  async #join(model: ModelSql, batch: number): Promise<void> {
    const { duckdb } = this.#work;
    const columns = this.#columns(model);
    const [before, after] = ["result_before", "result_after"]
      .map((schema) => `${schema}.${quoteName(model.name)}`);
    await duckdb.run(`create or replace table ${after} as ${model.sql}`);
    const error = await brokenRule(duckdb, {
      model,
      columns,
      rows: `${after}`,
      areVersions: false,
      batch,
    });
    if (error !== undefined) throw error;
    await this.#insert(
      model,
      `select *, ${batch} as batch, false as is_delete from (${
        differenceSql(columns, {
          of: `from ${after}`,
          without: `from ${before}`,
        })
      })`,
    );
    await this.#insert(
      model,
      `select *, ${batch} as batch, true as is_delete from (${
        missingKeysSql(model.key, {
          of: `from ${before}`,
          without: `from ${after}`,
        })
      })`,
    );
    await duckdb.run(`create or replace table ${before} as from ${after}`);
  }

  async #write(model: ModelSql): Promise<GroupedModel | undefined> {
    const { duckdb, inputs, input, written } = this.#work;
    const columns = this.#columns(model);
    const error = await brokenRule(duckdb, {
      model: { ...model, key: [...model.key, BATCH.name] },
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

const BATCH: ModelColumn = { name: "batch", type: "BIGINT" };
const DELETE: ModelColumn = { name: "is_delete", type: "BOOLEAN" };

function made({ name }: ModelSql): string {
  return `made.${quoteName(name)}`;
}

/** A joined table as of the batch that is being made. */
function groupedCurrent({ name }: ContractTable): string {
  return `grouped_current.${quoteName(name)}`;
}
