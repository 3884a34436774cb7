import type { ModelColumn } from "../../lib/models/model_column.ts";
import { counted } from "../../lib/counted.ts";
import type { DuckDb } from "../../lib/duckdb/duckdb.ts";
import { inShell } from "../../lib/in_shell.ts";
import { keyColumnText, keyText } from "../../lib/duckdb/key_text.ts";
import { StageError } from "../../lib/errors.ts";
import { quoteName, quoteNames, quoteText } from "../../lib/sql/quote.ts";
import type { Model } from "../../lib/project/model.ts";
import { isText } from "../../lib/project/warehouse_type.ts";
import { invalidTimeSql, outOfRangeSql } from "./time_range_sql.ts";

/** Rows of a model, to be checked before they are committed. */
export interface CheckedRows {
  model: Pick<Model, "name" | "key" | "derivation" | "reads" | "times">;
  columns: readonly ModelColumn[];
  /** SQL for the rows, to follow `from`. */
  rows: string;
  /** Whether they are versions, among which are deletes. */
  areVersions: boolean;
  batch: number;
}

/**
 * Looks for rows that the warehouse would always refuse: a key that is null,
 * occurs twice or is too long, a null where none is allowed, a text, JSON or
 * date that it can't hold. Returns the error to throw; undefined if all is well.
 */
export async function brokenRule(
  duckdb: DuckDb,
  checked: CheckedRows,
): Promise<StageError | undefined> {
  const { model, rows, areVersions } = checked;
  const columns = neverNull(checked);
  // A filter for each would need memory by the square of their number.
  const counts = columns.map((name, index) =>
    `count(${quoteName(name)}) as given_${index}`
  );
  const unstorable = unstorableValues(checked);
  const [found] = await duckdb.rows(
    `select count(*) as rows, count(distinct ${keySql(model.key)}) as keys,
      ${areVersions ? "count_if(is_delete)" : "0"} as deletes,
      ${anyOf(unstorable)} as unstorable, ${counts.join(", ")} from ${rows}`,
  );
  for (const [index, name] of columns.entries()) {
    const isKey = model.key.includes(name);
    const wanted = Number(found?.rows) - (isKey ? 0 : Number(found?.deletes));
    const count = wanted - Number(found?.[`given_${index}`]);
    if (count === 0) continue;
    if (isKey) {
      return ruleError(
        checked,
        `its key "${name}" is null in ${counted(count, "rows")}`,
      );
    }
    const [first] = await duckdb.rows(
      `select ${keyText(model.key.map(keyColumnText))} as key from ${rows}
      where ${isNullSql(checked, name)} order by key limit 1`,
    );
    return ruleError(
      checked,
      `"${name}" is null in ${
        counted(count, "rows")
      }, and may not be in the warehouse; the first key is ${first?.key}`,
    );
  }
  if (found?.unstorable !== "0") return await unstorableError(duckdb, checked);
  if (found?.rows === found?.keys) return undefined;
  const [twice] = await duckdb.rows(
    `select count(*) as keys, arg_min(copies, key) as copies, min(key) as key
    from (select ${
      keyText(model.key.map(keyColumnText))
    } as key, count(*) as copies from ${rows}
      group by ${quoteNames(model.key)} having count(*) > 1)`,
  );
  return ruleError(
    checked,
    `${
      counted(twice?.keys ?? "", "keys occur")
    } more than once; the first is ${twice?.key}, ${twice?.copies} times`,
  );
}

/** SQL for the keys of the rows that break a rule. */
export function brokenKeysSql(checked: CheckedRows): string {
  const { model, rows } = checked;
  const key = quoteNames(model.key);
  const isBroken = [
    ...neverNull(checked).map((name) => isNullSql(checked, name)),
    ...unstorableValues(checked).map(({ isUnstorable }) => isUnstorable),
  ];
  return `select ${key} from ${rows} where ${isBroken.join(" or ")}
    union select ${key} from ${rows} group by ${key} having count(*) > 1`;
}

function neverNull({ model, columns }: CheckedRows): string[] {
  const others = columns.filter(({ name, notNull }) =>
    notNull === true && !model.key.includes(name)
  );
  return [...model.key, ...others.map(({ name }) => name)];
}

function isNullSql(
  { model, areVersions }: CheckedRows,
  name: string,
): string {
  const mayDelete = areVersions && !model.key.includes(name);
  return `${quoteName(name)} is null${mayDelete ? " and not is_delete" : ""}`;
}

/** Half of a character, as JSON escapes it. */
const SURROGATE = String.raw`\\u[dD][89a-fA-F][0-9a-fA-F]{2}`;

/** A value that PostgreSQL has no way to hold. */
interface UnstorableValue {
  name: string;
  /** SQL for whether a row has it. */
  isUnstorable: string;
  /** The problem, for people. */
  says: string;
  /** A fix other than changing the rows or the model. */
  wayOut?: string;
}

/** How much of a key an error shows. */
const SHOWN_CHARACTERS = 200;

/**
 * The most bytes of a key that PostgreSQL certainly indexes, together with a
 * batch: an index entry may have 2,704
 * (https://www.postgresql.org/docs/current/btree.html).
 */
const KEY_BYTES_MAX = 2600;

/**
 * Finds what texts, JSON and dates may have in DuckDB but not in PostgreSQL,
 * which stores no character 0 (in jsonb, not even escaped), whose JSON has
 * neither NaN nor a comma before a closing bracket, and whose dates end sooner;
 * texts that are not a label of an enum; and keys that no index holds.
 */
function unstorableValues(checked: CheckedRows): UnstorableValue[] {
  const { model, columns } = checked;
  const values = columns.flatMap((column): UnstorableValue[] => {
    const { name, type, declared, labels } = column;
    const text = `cast(${quoteName(name)} as varchar)`;
    if (model.times.includes(name)) {
      return [{
        name,
        isUnstorable: invalidTimeSql(text, { isKey: model.key.includes(name) }),
        says: "is not a time of day such as 09:30:00,",
      }];
    }
    if (/^(DATE|TIMESTAMP)/.test(type) && !isText(declared ?? "")) {
      return [{
        name,
        isUnstorable: outOfRangeSql(column),
        says: "is out of the range of PostgreSQL's dates and times",
      }];
    }
    if (labels !== undefined) {
      return [{
        name,
        isUnstorable: [
          `${text} is not null`,
          ...labels.map((label) => `${text} <> ${quoteText(label)}`),
        ].join(" and "),
        says: `is not a label of the enum ${declared} of sql/warehouse`,
        wayOut:
          `add the label by a migration there: alter type ${declared} add value '...'`,
      }];
    }
    // Load adds a column of JSON as json.
    const held = declared ?? type.toLowerCase();
    if (held !== "json" && held !== "jsonb") {
      return /\b(VARCHAR|JSON)\b/.test(type)
        ? [{
          name,
          isUnstorable: `contains(${text}, chr(0))`,
          says: "has the character 0, which PostgreSQL can't hold,",
        }]
        : [];
    }
    return [unstorableJson({ name, text, held })];
  });
  // A row model's key is the source's, which has an index of it.
  return model.derivation === "row" ? values : [...values, ...longKey(checked)];
}

function unstorableJson(
  { name, text, held }: { name: string; text: string; held: "json" | "jsonb" },
): UnstorableValue {
  const outside = `regexp_replace(${text}, '"(\\\\.|[^"\\\\])*"', '""', 'g')`;
  const [valid, more] = held === "jsonb"
    ? [
      text,
      ` or regexp_matches(${text}, '(^|[^\\\\])(\\\\\\\\)*\\\\u0000')
        or ${hasUnstorableNumber(outside)}`,
    ]
    // PostgreSQL does not check that surrogates are paired.
    : [`regexp_replace(${text}, '${SURROGATE}', '\\\\n', 'g')`, ""];
  return {
    name,
    isUnstorable: `(not json_valid(${valid})
        or regexp_matches(${outside}, '[iIN]|na|,\\s*[\\]}]')${more})`,
    says: `is not valid ${held} in PostgreSQL`,
  };
}

/** The key as a value that may be too long, if it has texts. */
function longKey({ model, columns }: CheckedRows): UnstorableValue[] {
  const texts = columns.filter(({ name, type }) =>
    model.key.includes(name) && type === "VARCHAR"
  ).map(({ name }) => name);
  if (texts.length === 0) return [];
  const bytes = texts.map((name) => `strlen(${quoteName(name)})`).join(" + ");
  return [{
    name: texts.join('", "'),
    isUnstorable: `${bytes} > ${KEY_BYTES_MAX}`,
    says: `has over ${KEY_BYTES_MAX} bytes, too many for an index of the key,`,
  }];
}

/**
 * SQL for whether JSON has a number that jsonb, which stores a numeric, can't
 * hold: with over 131,072 digits before the point, or 16,383 after it
 * (https://www.postgresql.org/docs/current/datatype-numeric.html).
 */
function hasUnstorableNumber(json: string): string {
  const exponent = `case when regexp_matches(number, '[eE]')
    then coalesce(
      try_cast(regexp_extract(number, '[eE]\\+?(-?\\d+)', 1) as integer),
      1000000)
    else 0 end`;
  return `len(list_filter(
    regexp_extract_all(${json}, '\\d+(\\.\\d+)?([eE][+-]?\\d+)?'),
    lambda number:
      length(regexp_extract(number, '^\\d+')) + ${exponent} > 131072
      or length(regexp_extract(number, '\\.(\\d+)', 1)) - ${exponent} > 16383
  )) > 0`;
}

function anyOf(values: readonly UnstorableValue[]): string {
  if (values.length === 0) return "0";
  return `count(case when ${
    values.map(({ isUnstorable }) => isUnstorable).join(" or ")
  } then 1 end)`;
}

async function unstorableError(
  duckdb: DuckDb,
  checked: CheckedRows,
): Promise<StageError | undefined> {
  for (
    const { name, isUnstorable, says, wayOut } of unstorableValues(checked)
  ) {
    const [bad] = await duckdb.rows(
      `select count(*) as rows,
        left(min(${
        keyText(checked.model.key.map(keyColumnText))
      }), ${SHOWN_CHARACTERS}) as key
      from ${checked.rows} where ${isUnstorable}`,
    );
    if (bad?.rows === "0") continue;
    return ruleError(
      checked,
      `"${name}" ${says} in ${
        counted(bad?.rows ?? "", "rows")
      }; the first key is ${bad?.key}`,
      wayOut,
    );
  }
}

/** A null would make the whole key null. */
function keySql(key: readonly string[]): string {
  return key.length === 1 ? quoteNames(key) : `row(${quoteNames(key)})`;
}

function ruleError(
  { model, batch }: CheckedRows,
  found: string,
  wayOut?: string,
): StageError {
  const whole = model.derivation === "set"
    ? ` with \`./totesys extract --full=${
      inShell(model.reads.join(","))
    }\` first`
    : "";
  return new StageError(
    `Cannot make "${model.name}" in batch ${batch}: ${found}`,
    {
      subject: model.name,
      dataCheck: true,
      hint:
        `Nothing of the batch is committed. Repair the rows in the source, then run all stages again${whole}; or correct sql/models/${model.name}.sql${
          wayOut === undefined ? "" : `; or ${wayOut}`
        }`,
    },
  );
}
