import type { ModelColumn } from "../../lib/models/model_column.ts";
import type { Column } from "../../lib/duckdb/data_files.ts";
import {
  HOLDS_UNTIL_COLUMNS,
  STAMP_COLUMNS,
} from "../../lib/duckdb/version_columns.ts";
import {
  fieldId,
  icebergType,
  widerType,
} from "../../lib/iceberg/field_ids.ts";
import type { SchemaField } from "../../lib/iceberg/table_metadata.ts";

/** The fields of a model's table. */
export interface TableFields {
  fields: readonly SchemaField[];
  /** Columns with a type that Iceberg lacks. */
  leftOut: readonly ModelColumn[];
  /** The number of the column `batch`. */
  batchId: number;
}

/**
 * The fields of a model's table: its columns, and those that stamp each
 * version. All are optional, since a delete has only its key. Throws an Error
 * if two would have the same number, or are one to readers that ignore the case
 * of names.
 */
export function tableFields(
  columns: readonly ModelColumn[],
  meanings: ReadonlyMap<string, string> = new Map(),
): TableFields {
  const all = [...columns, ...STAMP_COLUMNS];
  const names = new Map<number | string, string>();
  const fields = all.flatMap((column): SchemaField[] => {
    const { name } = column;
    const [id, type] = [fieldId(column), icebergType(column)];
    if (type === undefined) return [];
    for (const taken of [name.toLowerCase(), id]) {
      const other = names.get(taken);
      if (other !== undefined) {
        throw new Error(
          `the columns "${other}" and "${name}" ${
            taken === id
              ? "would have the same field id"
              : "are one to readers that ignore case, such as Trino"
          }: rename one`,
        );
      }
      names.set(taken, name);
    }
    const doc = meanings.get(name);
    return [{
      id,
      name,
      required: false,
      type,
      ...doc === undefined ? {} : { doc },
    }];
  });
  const known = new Set(names.values());
  return {
    fields,
    leftOut: columns.filter(({ name }) => !known.has(name)),
    batchId: fields.find(({ name }) => name === "batch")?.id ?? 0,
  };
}

/**
 * The fields with types that hold what these fields and columns have as well.
 * If a model's column becomes narrower, its older files stay as wide as they
 * were, and readers refuse them under a narrower type.
 */
export function widenFields(
  { fields, ...rest }: TableFields,
  others: {
    fields: readonly SchemaField[];
    columns: readonly Column[];
  },
): TableFields {
  const types = [
    ...others.fields.map(({ id, type }) => ({ id, type })),
    ...others.columns.flatMap((column) => {
      const type = icebergType(column);
      return type === undefined ? [] : [{ id: fieldId(column), type }];
    }),
  ];
  return {
    ...rest,
    fields: fields.map((field) => ({
      ...field,
      type: types.filter(({ id }) => id === field.id)
        .reduce((widest, { type }) => widerType(widest, type), field.type),
    })),
  };
}

/**
 * How files without field ids are read: by the columns' names
 * (https://iceberg.apache.org/spec/#name-mapping-serialization). Files from
 * before this version have none. Some readers want every column of a file in
 * it, so columns that the table doesn't have, or no longer, are in it as well.
 */
export function nameMapping(
  fields: readonly SchemaField[],
  earlier = "[]",
): string {
  const known: MappedName[] = JSON.parse(earlier);
  const mapped = new Map<string, number>(
    [
      ...known,
      ...HOLDS_UNTIL_COLUMNS.map((column) =>
        mappedName(fieldId(column), column)
      ),
      ...fields.map((field) => mappedName(field.id, field)),
    ].flatMap((one) =>
      one.names.map((name) => [name, one["field-id"]] as const)
    ),
  );
  const byId = Map.groupBy(mapped, ([, id]) => id);
  return JSON.stringify(
    [...byId].map(([id, names]): MappedName => ({
      "field-id": id,
      names: names.map(([name]) => name),
    })),
  );
}

interface MappedName {
  "field-id": number;
  names: string[];
}

function mappedName(id: number, { name }: { name: string }): MappedName {
  return { "field-id": id, names: [name] };
}
