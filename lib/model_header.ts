import { type Derivation, MAINTAINED, type Model } from "./model.ts";
import { tablesRead } from "./tables_read.ts";
import type { DeclaredTables } from "./warehouse_ddl.ts";

/** What may stand in the header of a model, each before a colon. */
const FIELDS = [
  "Grain",
  "Key",
  "Reads",
  "Kind",
  "Maintained",
  "Times of day",
  "Serial number",
  "Why",
] as const;
type Field = typeof FIELDS[number];

const DERIVATIONS: readonly Derivation[] = ["row", "join", "set"];
const KINDS = ["fact", "dimension"] as const;
const PREFIXES: Readonly<Record<string, Model["kind"]>> = {
  fact_: "fact",
  dim_: "dimension",
};
const TIME = /^time(\(\d\))?( without time zone)?$/;
const SERIAL_NUMBER = /(^|_)record_id$/;

/**
 * Reads what a model is from the header of its file, its SQL and the table that
 * sql/warehouse declares for it. Only `Key` must be said; of the rest, what the
 * header says counts:
 *
 * - `Kind`: `fact` or `dimension`; else what the name begins with (`fact_`,
 *   `dim_`);
 * - `Maintained`: `by row`, `as a join` or `append only`; else it is a join if it
 *   reads `current.<table>`, append only if it reads several tables, or by row;
 * - `Times of day`: columns of text that readers see as TIME; else those that
 *   are declared as `time`;
 * - `Serial number`: a fact's column of it; else the declared one that is named
 *   `record_id`, or ends so;
 * - `Reads`: must be what the SQL reads, if it is said.
 *
 * Adds to `problems` what is missing or contradicts the SQL.
 */
export function readModel(
  file: { name: string; text: string },
  options: { declared: DeclaredTables; problems: string[] },
): Model {
  const { name, text } = file;
  const header = readHeader(text);
  const path = `sql/models/${name}.sql`;
  const problem = (found: string) => options.problems.push(`${path}: ${found}`);
  const names = (field: Field) => listOf(header.get(field) ?? "");
  const columns = [...options.declared.get(name) ?? []];

  const key = names("Key");
  if (key.length === 0) {
    problem(
      "its header does not say what identifies a row, as in `-- Key: id.`",
    );
  }
  const kind = kindOf(name, header.get("Kind"));
  if (kind === undefined) {
    problem(
      "its header says neither `-- Kind: fact.` nor `-- Kind: dimension.`, and its name begins neither with fact_ nor with dim_",
    );
  }
  const derivation = derivationOf(text, header.get("Maintained"));
  if (derivation === undefined) {
    problem(
      `its header says Maintained: ${
        header.get("Maintained")
      }, which is none of ${Object.values(MAINTAINED).join(", ")}`,
    );
  }
  // A join reads tables as they stand, others what a batch changed in them.
  const schema = derivation === "join" ? "current" : "changed";
  const reads = tablesRead(text, [schema]);
  const told = names("Reads");
  const read = reads.map((table) => `${schema}.${table}`);
  const inOrder = (tables: readonly string[]) =>
    tables.map((table) => table.toLowerCase()).toSorted().join();
  if (told.length > 0 && inOrder(told) !== inOrder(read)) {
    problem(
      `its header says that it reads ${told.join(", ")}, its SQL reads ${
        read.join(", ") || "none of these"
      }`,
    );
  }
  const times = header.has("Times of day")
    ? names("Times of day")
    : columns.filter(([, { type }]) => TIME.test(type))
      .map(([column]) => column);
  const serialNumber = names("Serial number")[0] ??
    columns.map(([column]) => column).find((one) => SERIAL_NUMBER.test(one));
  const isFact = kind === "fact";
  return {
    name,
    kind: kind ?? "dimension",
    derivation: derivation ?? "row",
    key,
    reads,
    times,
    ...isFact && serialNumber !== undefined ? { recordId: serialNumber } : {},
  };
}

/** The fields of the comment that a file begins with, each in one line. */
function readHeader(text: string): Map<Field, string> {
  const found = new Map<Field, string>();
  const [comment = ""] = /^\s*(?:[ \t]*(?:--.*)?\n)+/.exec(`${text}\n`) ?? [];
  let field: Field | undefined;
  for (const line of comment.split("\n")) {
    const said = line.replace(/^\s*--\s*/, "").trim();
    const [, label, value = ""] =
      /^([a-z]+(?: [a-z]+)*):\s*(.*)$/i.exec(said) ??
        [];
    const begun = FIELDS.find((one) =>
      one.toLowerCase() === label?.toLowerCase()
    );
    if (begun !== undefined) found.set(field = begun, value);
    // A label of somebody's own ends a field, as a blank line does.
    else if (said === "" || label !== undefined) field = undefined;
    else if (field !== undefined) {
      found.set(field, `${found.get(field)} ${said}`);
    }
  }
  return found;
}

/** Names between commas; a full stop ends them, or the field. */
function listOf(text: string): string[] {
  return text.replace(/\.(\s.*)?$/, "").split(",")
    .map((name) => name.trim().replace(/^"(.*)"$/, "$1"))
    .filter((name) => name !== "");
}

/** A field that says one of some words. */
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
