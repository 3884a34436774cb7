import {
  type Field,
  headerFaults,
  listOf,
  readHeader,
} from "./header_fields.ts";
import { type Derivation, MAINTAINED, type Model } from "./model.ts";
import { readTableHeader, type TableHeader } from "./table_header.ts";
import { tablesRead } from "./tables_read.ts";
import type { DeclaredTables } from "./warehouse_ddl.ts";
import { foldName } from "../sql/fold_name.ts";

const DERIVATIONS: readonly Derivation[] = ["row", "join", "set"];
/** The fields that decide something. */
const DECIDING: readonly Field[] = [
  "Key",
  "Reads",
  "References",
  "Not null",
  "Columns",
  "Kind",
  "Maintained",
  "Times of day",
  "Serial number",
];
const KINDS = ["fact", "dimension"] as const;
const PREFIXES: Readonly<Record<string, Model["kind"]>> = {
  fact_: "fact",
  dim_: "dimension",
};
const TIME = /^time(\(\d\))?( without time zone)?$/;
const SERIAL_NUMBER = /(^|_)record_id$/;

/**
 * Reads a model from the header of its file, its SQL and the table that
 * sql/warehouse declares for it. Only `Key` is required; the rest has defaults:
 *
 * - `Kind`: `fact` or `dimension`; by default, by the prefix of the name
 *   (`fact_`, `dim_`);
 * - `Maintained`: `by row`, `as a join` or `append only`; by default, a join if
 *   it reads `current.<table>`, append only if it reads several tables, by row
 *   if not;
 * - `Times of day`: text columns that readers see as TIME; by default, those
 *   that are declared as `time`;
 * - `Serial number`: the column of a fact's serial number; by default, the
 *   declared column whose name is `record_id` or ends with `_record_id`; if no
 *   table is declared, the model's name without `fact_` and with `_record_id`;
 * - `Reads`: the tables that the SQL reads; must agree with it if given;
 * - `References`, `Not null`, `Columns`: see `readTableHeader`.
 *
 * Adds to `problems` what is missing, would be passed over in silence, or
 * contradicts the SQL.
 */
export function readModel(
  file: { name: string; text: string },
  options: { declared: DeclaredTables; problems: string[] },
): Model & { table: TableHeader } {
  const { name, text } = file;
  const header = readHeader(text);
  const { fields } = header;
  const path = `sql/models/${name}.sql`;
  const problem = (found: string) => options.problems.push(`${path}: ${found}`);
  const names = (field: Field) => listOf(fields.get(field) ?? "");
  const columns = [...options.declared.get(name) ?? []];

  headerFaults(text, DECIDING).forEach(problem);
  const key = names("Key");
  const ofKey = keyProblem(key);
  if (ofKey !== undefined) problem(ofKey);
  const kind = kindOf(name, fields.get("Kind"));
  if (kind === undefined) {
    problem(
      "its header says neither `-- Kind: fact.` nor `-- Kind: dimension.`, and its name begins neither with fact_ nor with dim_",
    );
  }
  const derivation = derivationOf(text, fields.get("Maintained"));
  if (derivation === undefined) {
    problem(
      `its header says Maintained: ${
        fields.get("Maintained")
      }, which is not one of ${Object.values(MAINTAINED).join(", ")}`,
    );
  }
  // A join reads tables as they are; others read what a batch changed in them.
  const schema = derivation === "join" ? "current" : "changed";
  const reads = tablesRead(text, [schema]);
  const unlike = readsProblem(
    names("Reads"),
    reads.map((table) => `${schema}.${table}`),
  );
  if (unlike !== undefined) problem(unlike);
  const times = fields.has("Times of day")
    ? names("Times of day")
    : columns.filter(([, { type }]) => TIME.test(type))
      .map(([column]) => column);
  const recordId = kind === "fact"
    ? names("Serial number")[0] ??
      serialNumberOf(name, columns.map(([column]) => column))
    : undefined;
  return {
    name,
    kind: kind ?? "dimension",
    derivation: derivation ?? "row",
    key,
    reads,
    times,
    ...recordId === undefined ? {} : { recordId },
    table: readTableHeader(header, problem),
  };
}

function keyProblem(key: readonly string[]): string | undefined {
  if (key.length === 0) {
    return "its header does not say what identifies a row, as in `-- Key: id.`";
  }
  const lower = key.map(foldName);
  const again = key.find((_, index) =>
    lower.indexOf(lower[index] ?? "") < index
  );
  return again === undefined
    ? undefined
    : `its header names ${again} twice under Key`;
}

function readsProblem(
  listed: readonly string[],
  read: readonly string[],
): string | undefined {
  const inOrder = (tables: readonly string[]) =>
    tables.map(foldName).toSorted().join();
  if (listed.length === 0 || inOrder(listed) === inOrder(read)) {
    return undefined;
  }
  return `its header says that it reads ${
    listed.join(", ")
  }, and its SQL reads ${read.join(", ") || "none of these"}`;
}

function serialNumberOf(
  model: string,
  declared: readonly string[],
): string | undefined {
  return declared.length === 0
    ? `${model.replace(/^fact_/, "")}_record_id`
    : declared.find((one) => SERIAL_NUMBER.test(one));
}

/** The word that a field consists of. */
function wordOf(said: string): string {
  return said.replace(/\.$/, "").trim().toLowerCase();
}

function kindOf(name: string, said: string | undefined) {
  if (said !== undefined) {
    const word = wordOf(said);
    return KINDS.find((kind) => kind === word);
  }
  return Object.entries(PREFIXES).find(([prefix]) => name.startsWith(prefix))
    ?.[1];
}

function derivationOf(
  sql: string,
  said: string | undefined,
): Derivation | undefined {
  if (said !== undefined) {
    const word = wordOf(said);
    return DERIVATIONS.find((one) => MAINTAINED[one] === word);
  }
  if (tablesRead(sql, ["current"]).length > 0) return "join";
  return tablesRead(sql, ["changed"]).length > 1 ? "set" : "row";
}
