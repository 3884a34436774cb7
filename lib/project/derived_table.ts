import type { Model } from "./model.ts";
import type { TableHeader } from "./table_header.ts";
import { warehouseType } from "./warehouse_type.ts";
import { WHOLE_NUMBERS } from "./contract_types.ts";

type Described = Pick<Model, "key" | "kind" | "times"> & { table: TableHeader };

/** A column that a model returns, with DuckDB's name for its type. */
interface GivenColumn {
  name: string;
  type: string;
}

/** A column of the table that is derived from a model. */
export interface DerivedColumn {
  name: string;
  /** The warehouse's type, as `format_type` writes it. */
  type: string;
  notNull: boolean;
}

/** Types without an order, which can't be part of a key. */
const WITHOUT_ORDER = ["json"];

/**
 * The columns of a model's table in the warehouse if no migration declares it,
 * without those that load itself adds. In a dimension only the key is never
 * null: a row that others refer to and the source lacks has nothing but its
 * key. A type without a counterpart there was refused earlier.
 */
export function derivedColumns(
  model: Described,
  columns: readonly GivenColumn[],
): DerivedColumn[] {
  const { key, kind, times, table } = model;
  return columns.map(({ name, type }) => ({
    name,
    type: warehouseType(type, { isTime: times.includes(name) }) ?? type,
    notNull: key.includes(name) ||
      (kind === "fact" && table.notNull.includes(name)),
  }));
}

/** Contradictions between a header's columns and those of the model. */
export function headerProblems(
  model: Described,
  options: {
    columns: readonly GivenColumn[];
    /** The other models, each with its columns. */
    others: ReadonlyMap<
      string,
      { model: Described; columns: readonly GivenColumn[] }
    >;
  },
): string[] {
  const { columns, others } = options;
  const { references, notNull, meanings } = model.table;
  const unknown = Object.entries({
    References: [...references.keys()],
    "Not null": notNull,
    Columns: [...meanings.keys()],
  }).flatMap(([field, names]) =>
    names.filter((name) => !columns.some((column) => column.name === name))
      .map((name) =>
        `its header names the column "${name}" under ${field}, which the model does not return`
      )
  );
  if (unknown.length > 0) return unknown;
  const typeOf = (one: Described, given: readonly GivenColumn[], name = "") =>
    derivedColumns(one, given).find((column) => column.name === name)?.type;
  return [...references].flatMap(([column, dimension]) => {
    const target = others.get(dimension);
    const [key] = target?.model.key ?? [];
    if (target === undefined || key === undefined) return [];
    const own = typeOf(model, columns, column) ?? "";
    const other = typeOf(target.model, target.columns, key) ?? "";
    return canRefer(own, other) ? [] : [
      `its column "${column}" is ${own} and refers to ${dimension}, whose key "${key}" is ${other}`,
    ];
  });
}

/** Columns of the key whose type a key can't have. */
export function keyTypeProblems(
  model: Described,
  columns: readonly GivenColumn[],
): string[] {
  return derivedColumns(model, columns)
    .filter(({ name, type }) =>
      model.key.includes(name) && WITHOUT_ORDER.includes(type)
    )
    .map(({ name, type }) =>
      `its key "${name}" is ${type}, which has no order in the warehouse`
    );
}

/** Whether a key holds every value of a column that refers to it. */
export function canRefer(column: string, key: string): boolean {
  const place = WHOLE_NUMBERS.indexOf(column);
  return column === key ||
    (place >= 0 && WHOLE_NUMBERS.indexOf(key) >= place);
}
