import { contractType } from "../lib/project/contract_types.ts";
import { readColumn } from "../lib/project/ddl_text.ts";
import { TAKEN_NAMES } from "../lib/models/check_names.ts";
import type { SourceColumn } from "./catalogue.ts";
import { fitName } from "./fit_name.ts";
import type { PlannedModel } from "./star.ts";
import { foldName } from "../lib/sql/fold_name.ts";

/** PostgreSQL truncates longer names of columns. */
const COLUMN_BYTES_MAX = 63;

/** A column of the source, and its form in a model. */
export interface PlannedColumn {
  source: SourceColumn;
  /**
   * Its name in the model: the source's, unless the pipeline uses that itself.
   */
  name: string;
  /** Whether the contract has it as text that carries another type. */
  isCarried: boolean;
  contract: string;
  /**
   * The type of a date or time that the contract has as text, unless it is part
   * of the key: its model gives it that type, and null where it is infinite.
   */
  moment: string | undefined;
  /** A second column that it gives: the day of a moment. */
  day?: string;
}

/** Decides how a column stands in the contract and in its table's model. */
export function planColumn(
  source: SourceColumn,
  options: {
    kind: PlannedModel["kind"];
    /** Names of columns, in lower case; those that it adds are added. */
    taken: Set<string>;
    key: readonly string[];
  },
): PlannedColumn {
  const { kind, taken, key } = options;
  const { contract, isCarried } = contractOf(source);
  const moment = isCarried && !key.includes(source.name) && canHaveRule(key)
    ? momentOf(source)
    : undefined;
  const free = (wanted: string, ending = "") => {
    let name: string;
    do {
      name = fitName(wanted, { ending, bytesMax: COLUMN_BYTES_MAX });
      ending += "_";
    } while (taken.has(foldName(name)));
    taken.add(foldName(name));
    return name;
  };
  const name = TAKEN_NAMES.includes(foldName(source.name))
    ? free(`source_${source.name}`)
    : source.name;
  const hasDay = kind === "fact" && /^timestamp/.test(moment ?? contract);
  return {
    source,
    name,
    isCarried,
    contract,
    moment,
    ...hasDay ? { day: free(source.name, "_date") } : {},
  };
}

/**
 * Whether a quarantine rule can give the key of a table beside its reason. If
 * not, the table's model casts no text, since nothing would set a row aside.
 */
export function canHaveRule(key: readonly string[]): boolean {
  return !key.some((name) => foldName(name) === "reason");
}

/** A column's type in the contract, and whether it is text for another type. */
export function contractOf({ type: sourceType, mayBeInfinite }: SourceColumn) {
  const { type, carried } = contractType(readColumn(sourceType).type);
  const isCarried = carried !== undefined || mayBeInfinite;
  const contract = isCarried
    ? "text"
    : type.name === "numeric"
    ? `numeric(${type.precision}, ${type.scale})`
    : type.name;
  return { contract, isCarried };
}

/** The contract's type for a date or time; undefined if it is none. */
function momentOf({ valueType }: SourceColumn): string | undefined {
  const { type: { name }, carried } = contractType(readColumn(valueType).type);
  return carried === undefined && /^(date|timestamp)/.test(name)
    ? name
    : undefined;
}
