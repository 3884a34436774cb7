import type { ModelColumn } from "./model_column.ts";
import { HOLDS_UNTIL_COLUMNS } from "../duckdb/version_columns.ts";
import type { Model } from "../project/model.ts";
import { QUARANTINE } from "../project/quarantine_model.ts";
import { foldName } from "../sql/fold_name.ts";

/**
 * The parameters of the lake's macros, which hide columns of the same name in
 * the macros' bodies.
 */
export const AS_OF_PARAMETERS = { batch: "as of batch", time: "as of time" };

/** Columns of the lake and the warehouse besides a model's own. */
const PIPELINE_COLUMNS = [
  // A version's, in the lake.
  "batch",
  "is_delete",
  "snapshot_time",
  ...HOLDS_UNTIL_COLUMNS.map(({ name }) => name),
  ...Object.values(AS_OF_PARAMETERS),
  // History's, in both.
  "valid_from",
  "valid_to",
  "from_batch",
  "to_batch",
  // The warehouse's, and those of rows on their way there.
  "is_placeholder",
  "is_first",
  "has_version",
  "is_last_version",
  "event_flags",
  // For comparing contents.
  "row_hash",
];
/** PostgreSQL has these in every table. */
const SYSTEM_COLUMNS = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];
/** Columns beside a key where versions are compared. */
const BESIDE_KEYS = ["content"];
/** Names that no column of a model should have, in lower case. */
export const TAKEN_NAMES: readonly string[] = [
  ...PIPELINE_COLUMNS,
  ...SYSTEM_COLUMNS,
  ...BESIDE_KEYS,
];
/** The objects named after a model, itself among them. */
export const DERIVED = (name: string): string[] => [
  name,
  `${name}_closed`,
  `${name}_current`,
  `${name}_history`,
  `${name}_as_of_batch`,
  `${name}_as_of_time`,
  `checked_${name}`,
  `fresh_${name}`,
  `fresh_${name}_closed`,
  `staged_${name}`,
  `ending_${name}`,
];
/** PostgreSQL truncates longer names, and two may become the same. */
export const NAME_BYTES_MAX = 63;
/** PostgreSQL's most for a table, 1,600, less those that load adds. */
const COLUMNS_MAX = 1595;
/** PostgreSQL's most for an index, 32, less the number of the version's batch. */
export const KEY_COLUMNS_MAX = 31;

/** Finds problems with the names of a model's columns. */
export function columnNameProblems(
  model: Model,
  columns: readonly ModelColumn[],
): string[] {
  const names = columns.map((column) => foldName(column.name));
  const taken = [
    ...PIPELINE_COLUMNS,
    ...SYSTEM_COLUMNS,
    model.recordId,
  ];
  return [
    ...columns.filter(({ name }, index) =>
      names.indexOf(foldName(name)) !== index
    ).map(({ name }) => `it gives the column "${name}" twice`),
    ...columns.filter(({ name }) => taken.includes(foldName(name))).map((
      { name },
    ) => `its column "${name}" has a name that the pipeline uses itself`),
    ...columns.filter(({ name }) => bytes(name) > NAME_BYTES_MAX).map((
      { name },
    ) => `its column "${name}" has a name of over ${NAME_BYTES_MAX} bytes`),
    ...bytes(model.recordId ?? "") > NAME_BYTES_MAX
      ? [`its serial number has a name of over ${NAME_BYTES_MAX} bytes`]
      : [],
    ...columns.length > COLUMNS_MAX
      ? [
        `it has ${columns.length} columns, and a table of the warehouse holds ${COLUMNS_MAX} beside the pipeline's own`,
      ]
      : [],
    ...model.key.filter((name) => BESIDE_KEYS.includes(foldName(name)))
      .map((name) =>
        `its key "${name}" has a name that the pipeline uses itself`
      ),
    ...[...model.key, ...model.times]
      .filter((name) => !columns.some((column) => column.name === name))
      .map((name) =>
        `it gives no column "${name}", which belongs to its key or is a time of day`
      ),
    ...model.kind === "fact" && model.recordId === undefined
      ? [
        "neither `-- Serial number:` in its header nor a column `..._record_id` in sql/warehouse says what numbers the fact's versions",
      ]
      : [],
  ];
}

/** Finds a key that no index of a history can hold. */
export function keyWidthProblems({ key }: Pick<Model, "key">): string[] {
  return key.length <= KEY_COLUMNS_MAX ? [] : [
    `its key has ${key.length} columns, and an index of the warehouse holds ${KEY_COLUMNS_MAX} beside the version's batch`,
  ];
}

/** Finds problems with the models' own names, by model. */
export function modelNameProblems(
  models: readonly Model[],
): { model: string; problem: string }[] {
  const owners = new Map<string, string>(
    DERIVED(QUARANTINE.name).map((name) => [name, QUARANTINE.name]),
  );
  return models.flatMap((model) => {
    const problems: string[] = [];
    const derived = DERIVED(model.name);
    const longest = derived.find((name) => bytes(name) > NAME_BYTES_MAX);
    if (longest !== undefined) {
      problems.push(
        `"${longest}", made from its name, has over ${NAME_BYTES_MAX} bytes`,
      );
    }
    for (const name of derived.map(foldName)) {
      const owner = owners.get(name);
      if (owner === undefined) owners.set(name, model.name);
      else problems.push(`"${name}" is a name of the model "${owner}", too`);
    }
    if (/^[_.]/.test(model.name)) {
      problems.push("its name starts like those of the pipeline's own folders");
    }
    // Unless it is given a schema, such a name finds a system table first.
    if (model.name.startsWith("pg_")) {
      problems.push("its name starts like those of PostgreSQL's own tables");
    }
    return problems.slice(0, 1)
      .map((problem) => ({ model: model.name, problem }));
  });
}

function bytes(name: string): number {
  return new TextEncoder().encode(name).length;
}
