import { fieldId, icebergType } from "../../lib/iceberg/field_ids.ts";
import type { SchemaField } from "../../lib/iceberg/table_metadata.ts";
import { HOLDS_UNTIL_COLUMNS } from "../holds_until.ts";
import { type ModelColumn, STAMP_COLUMNS } from "../model_changes.ts";

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
 * if two would have the same number.
 */
export function tableFields(
  columns: readonly ModelColumn[],
  meanings: ReadonlyMap<string, string> = new Map(),
): TableFields {
  const all = [...columns, ...STAMP_COLUMNS];
  const names = new Map<number, string>();
  const fields = all.flatMap((column): SchemaField[] => {
    const { name } = column;
    const [id, type] = [fieldId(column), icebergType(column)];
    if (type === undefined) return [];
    const other = names.get(id);
    if (other !== undefined) {
      throw new Error(
        `the columns "${other}" and "${name}" would have the same field id: rename one`,
      );
    }
    names.set(id, name);
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
  const mapped = new Map(
    [
      ...known,
      ...HOLDS_UNTIL_COLUMNS.map((column) =>
        mappedName(fieldId(column), column)
      ),
      ...fields.map((field) => mappedName(field.id, field)),
    ].map((one) => [one.names.join(), one]),
  );
  return JSON.stringify([...mapped.values()]);
}

interface MappedName {
  "field-id": number;
  names: string[];
}

function mappedName(id: number, { name }: { name: string }): MappedName {
  return { "field-id": id, names: [name] };
}
