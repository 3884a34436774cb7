import { NAME, plainName, splitSql, untilBracket } from "./ddl_text.ts";
import type { SqlFile } from "./project_sql.ts";

/** The labels of each enum, by its name as PostgreSQL stores it. */
export type DeclaredEnums = ReadonlyMap<string, readonly string[]>;

const TEXT = String.raw`'(?:[^']|'')*'`;
const TYPE = String.raw`(?:(?:public|"public")\s*\.\s*)?(?<name>${NAME})`;
const CREATE = statement(
  String.raw`create\s+type\s+${TYPE}\s+as\s+enum\s*\((?<labels>.*)`,
);
const DROP = statement(
  String
    .raw`drop\s+type\s+(?:if\s+exists\s+)?${TYPE}(?:\s+(?:cascade|restrict))?`,
);
const RENAME = statement(
  String.raw`alter\s+type\s+${TYPE}\s+rename\s+to\s+(?<to>${NAME})`,
);
const ADD = statement(
  String
    .raw`alter\s+type\s+${TYPE}\s+add\s+value\s+(?:if\s+not\s+exists\s+)?(?<label>${TEXT}).*`,
);
const RENAME_VALUE = statement(
  String
    .raw`alter\s+type\s+${TYPE}\s+rename\s+value\s+(?<from>${TEXT})\s+to\s+(?<to>${TEXT})`,
);

/**
 * Reads the enums that migrations create by plain `create type` and `alter
 * type`, in order. Changes by other means, such as a `do` block, and types of
 * other schemas are ignored.
 */
export function readDeclaredEnums(
  migrations: readonly SqlFile[],
): DeclaredEnums {
  const enums = new Map<string, string[]>();
  for (const text of migrations.flatMap(({ text }) => splitSql(text, ";"))) {
    const of = (pattern: RegExp) => pattern.exec(text)?.groups;
    const created = of(CREATE);
    if (created !== undefined) {
      const labels = splitSql(untilBracket(created.labels ?? ""), ",");
      enums.set(plainName(created.name ?? ""), labels.map(label));
    }
    const dropped = of(DROP);
    if (dropped !== undefined) enums.delete(plainName(dropped.name ?? ""));
    const renamed = of(RENAME);
    if (renamed !== undefined) {
      const name = plainName(renamed.name ?? "");
      const labels = enums.get(name);
      if (enums.delete(name) && labels !== undefined) {
        enums.set(plainName(renamed.to ?? ""), labels);
      }
    }
    const added = of(ADD);
    if (added !== undefined) {
      enums.get(plainName(added.name ?? ""))?.push(label(added.label ?? ""));
    }
    const changed = of(RENAME_VALUE);
    const labels = enums.get(plainName(changed?.name ?? ""));
    const place = labels?.indexOf(label(changed?.from ?? "")) ?? -1;
    if (place >= 0) labels?.splice(place, 1, label(changed?.to ?? ""));
  }
  return enums;
}

/** The labels of a column's declared type; undefined if not such an enum. */
export function labelsOf(
  enums: DeclaredEnums,
  type: string,
): readonly string[] | undefined {
  const { name } = statement(TYPE).exec(type)?.groups ?? {};
  return name === undefined ? undefined : enums.get(plainName(name));
}

function label(text: string): string {
  return text.slice(1, -1).replaceAll("''", "'");
}

function statement(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`, "isu");
}
