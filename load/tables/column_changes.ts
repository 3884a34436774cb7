import type pg from "pg";
import { StageError } from "../../lib/errors.ts";
import { quoteName } from "../../lib/sql/quote.ts";
import { typeChange } from "../../lib/project/type_change.ts";
import type { Model } from "../../lib/project/model.ts";
import { columnFault, LOADER_COLUMNS } from "./column_fault.ts";
import { type TypedModel, wantedType } from "./model_types.ts";
import { readColumns, type TableColumn } from "./read_columns.ts";
import { NAME_BYTES_MAX } from "../../lib/models/check_names.ts";
import { tablesOf } from "../../lib/warehouse/model_tables.ts";

/** The changes to make to one of a model's tables. */
export interface Changes {
  table: string;
  /** The actions of `alter table`, as SQL. */
  actions: string[];
  /** The same for people, a line for each column. */
  given: string[];
  retyped: string[];
  removed: string[];
  /** Columns that no model has, and that stay. */
  unfilled: string[];
  /** Columns that it gains. */
  added: string[];
  /** Whether existing columns change or are dropped. */
  reshapes: boolean;
  /** Existing columns that get another type. */
  retypes: string[];
  dropped: string[];
  /** Whether its rows go first: their keys have no place in the new type. */
  empties: boolean;
}

/** The changes to make to a model's tables, for people. */
export interface PlannedChanges {
  /** A line for each column that is new, or becomes wider. */
  given: string[];
  /** A line for each that gets another type, which can't hold its values. */
  retyped: string[];
  /** A line for each that no model has. */
  removed: string[];
}

/** The changes of each model's tables, of those that exist. */
export async function changesOfTables(
  client: pg.Client,
  models: readonly TypedModel[],
  drop: boolean,
): Promise<Changes[][]> {
  const columns = await readColumns(
    client,
    models.flatMap(({ model }) => tablesOf(model)),
  );
  return models.map((typed) => {
    const changes: Changes[] = [];
    for (const table of tablesOf(typed.model)) {
      const present = columns.get(table);
      if (present === undefined) break;
      changes.push(changesOf(typed, { table, present, drop }));
    }
    return changes;
  });
}

/** A dimension's two tables mostly change alike. */
export function linesOf(changes: readonly Changes[]): PlannedChanges {
  const all = (of: "given" | "retyped" | "removed" | "unfilled") => [
    ...new Set(changes.flatMap((change) => change[of])),
  ];
  return {
    given: all("given"),
    retyped: all("retyped"),
    removed: [
      ...all("unfilled").map((name) =>
        `the column ${name} is null in new rows: no model has it`
      ),
      ...all("removed"),
    ],
  };
}

function changesOf(
  { model, columns }: TypedModel,
  options: { table: string; present: readonly TableColumn[]; drop: boolean },
): Changes {
  const { table, present, drop } = options;
  const changes: Changes = {
    table,
    actions: [],
    given: [],
    retyped: [],
    removed: [],
    unfilled: [],
    added: [],
    reshapes: false,
    retypes: [],
    dropped: [],
    empties: false,
  };
  for (const column of columns) {
    const own = present.find(({ name }) => name === column.name);
    const wanted = wantedType(model, column);
    if (own === undefined) add(changes, { model, column, wanted });
    else if (wanted !== undefined && !own.isGenerated) {
      retype(changes, { model, column: own, wanted, drop });
    }
  }
  for (const column of drop ? present : []) restoreType(changes, model, column);
  for (const { name, isNotNull, hasDefault } of present) {
    if (
      hasDefault || name === model.recordId || LOADER_COLUMNS.includes(name) ||
      columns.some((column) => column.name === name)
    ) continue;
    if (drop) {
      changes.actions.push(`drop column ${quoteName(name)}`);
      changes.removed.push(
        `the column ${name} is dropped with its values: no model has it`,
      );
      changes.reshapes = true;
      changes.dropped.push(name);
    } else {
      if (isNotNull) {
        changes.actions.push(`alter ${quoteName(name)} drop not null`);
      }
      changes.unfilled.push(name);
    }
  }
  return changes;
}

function add(
  changes: Changes,
  options: {
    model: Model;
    column: { name: string; type: string };
    wanted: string | undefined;
  },
): void {
  const { model, column: { name, type }, wanted } = options;
  const subject = model.name;
  if (model.key.includes(name)) {
    throw new StageError(
      `Cannot load the model "${subject}": its key has the column "${name}", which the warehouse's table lacks`,
      {
        subject,
        hint:
          `If the key's column has another name now, write a migration in sql/warehouse, such as: alter table ${
            quoteName(subject)
          } rename OLD to ${
            quoteName(name)
          }. If the key is another one, drop what load made in the warehouse (drop table ${
            tablesOf(model).map(quoteName).join(", ")
          } cascade), then run \`./totesys rebuild warehouse\`, which makes it again with all of its rows`,
      },
    );
  }
  if (new TextEncoder().encode(name).length > NAME_BYTES_MAX) {
    throw new StageError(
      `Cannot load the model "${subject}": the name of its column "${name}" is over ${NAME_BYTES_MAX} bytes long`,
      { subject, hint: "Give the column a shorter name in the model" },
    );
  }
  if (wanted === undefined) {
    throw new StageError(
      `Cannot load the model "${subject}": its column "${name}" is ${type}, which has no counterpart in the warehouse`,
      {
        subject,
        hint:
          "Cast it to another type in the model, or write a migration in sql/warehouse that adds the column",
      },
    );
  }
  changes.actions.push(`add ${quoteName(name)} ${wanted}`);
  changes.added.push(name);
  changes.given.push(`the column ${name} is new, ${wanted}`);
}

function retype(
  changes: Changes,
  options: { model: Model; column: TableColumn; wanted: string; drop: boolean },
): void {
  const { model, column: { name, type, domain }, wanted, drop } = options;
  const subject = model.name;
  const change = typeChange(type, wanted);
  if (change.kind === "fits") return;
  if (domain !== undefined) {
    throw new StageError(
      `Cannot load the model "${subject}": its column "${name}" is ${wanted}, which the warehouse's domain ${domain}, ${type}, does not hold`,
      {
        subject,
        hint: `Run: drop view ${quoteName(`${subject}_current`)}, ${
          quoteName(`${subject}_history`)
        } cascade; alter table ${quoteName(changes.table)} alter ${
          quoteName(name)
        } type ${change.to}; the next load makes the views again. Or cast the column in the model`,
      },
    );
  }
  if (change.kind === "replace" && !drop) {
    throw new StageError(
      `Cannot load the model "${subject}": its column "${name}" is ${wanted} now, the warehouse has ${type}`,
      {
        subject,
        hint:
          "Run `./totesys rebuild warehouse`, after `./totesys rebuild processed` if older batches have the type before",
      },
    );
  }
  const column = quoteName(name);
  const isKey = model.key.includes(name);
  // Its values are loaded again, and so are rows whose key it is part of.
  if (change.kind === "replace" && isKey) changes.empties = true;
  changes.actions.push(
    ...(change.kind === "widen" ? [`alter ${column} type ${change.to}`] : [
      ...isKey ? [] : [`alter ${column} drop not null`],
      `alter ${column} type ${change.to} using null`,
    ]),
  );
  changes.retypes.push(name);
  changes[change.kind === "widen" ? "given" : "retyped"].push(
    `the column ${name} is ${change.to}, it was ${type}`,
  );
  changes.reshapes = true;
}

/**
 * Restores the type of a column that the loader relies on and somebody changed.
 */
function restoreType(
  changes: Changes,
  model: Model,
  column: TableColumn,
): void {
  const fault = columnFault(model, column);
  if (fault === undefined) return;
  const name = quoteName(column.name);
  const [type] = fault.type.split(" collate ");
  changes.actions.push(
    `alter ${name} type ${fault.type} using ${name}::${type}`,
  );
  changes.given.push(`${fault.says}: it is ${fault.type} again`);
  changes.retypes.push(column.name);
  changes.reshapes = true;
}
