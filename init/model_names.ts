import { DERIVED } from "../lib/models/check_names.ts";
import { fitName } from "./fit_name.ts";

/**
 * The longest name that PostgreSQL doesn't truncate with `_as_of_batch` added.
 */
const MODEL_BYTES_MAX = 50;

/** The calendar's name; a table of the source may have the first choice. */
export function calendarName(models: readonly string[]): string {
  let name = "date";
  while (collides(`dim_${name}`, models)) {
    name = name === "date" ? "calendar" : `${name}_`;
  }
  return `dim_${name}`;
}

/** Unique plain names for models, which need no quotes. */
export function modelNames(
  tables: readonly { prefix: string; name: string }[],
): string[] {
  const names: string[] = [];
  for (const { prefix, name } of tables) {
    const plain = name.normalize("NFKD").replace(/\p{M}/gu, "")
      .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, "$1_$2").toLowerCase()
      .replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "") ||
      "table";
    const named = (ending: string) =>
      fitName(`${prefix}_${plain}`, { ending, bytesMax: MODEL_BYTES_MAX });
    let free = named("");
    for (let number = 2; collides(free, names); number++) {
      free = named(`_${number}`);
    }
    names.push(free);
  }
  return names;
}

/** Whether objects named after a model have names of another model's. */
function collides(name: string, models: readonly string[]): boolean {
  const taken = new Set(models.flatMap(DERIVED));
  return DERIVED(name).some((one) => taken.has(one));
}
