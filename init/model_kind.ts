import { counted } from "../lib/counted.ts";
import {
  type ForeignKey,
  fullName,
  type SourceColumn,
  type SourceTable,
} from "./catalogue.ts";
import type { PlannedModel } from "./star.ts";

const MEASURE =
  /^(smallint|integer|bigint|numeric|real|double precision|money)\b(?!.*\]$)/;

/** Measures with fractions: whole numbers may be codes, or yes and no. */
const AMOUNT = /^(numeric|real|double precision|money)\b/;

/** If more tables than this refer to a table, it is a thing. */
const REFERRING_MAX = 2;

const MOMENT = /^(date|timestamp)\b(?!.*\]$)/;

/** The traits that distinguish events from the things that they are about. */
interface Traits {
  /** References to other tables, and how many tables those are. */
  references: number;
  targets: number;
  /** Numbers that are neither keys nor references, and those with fractions. */
  measures: number;
  amounts: number;
  /** Likewise dates and times, and those that most tables don't have. */
  moments: number;
  ownMoments: number;
  /** The tables that refer to it. */
  referring: readonly SourceTable[];
}

/**
 * An event, which makes a fact, refers to things and has measures or a time. A
 * table that others refer to is an event only if few do and it says more than a
 * thing would: it brings three things together at some time, or two with an
 * amount, and has details that take their time from it.
 */
export function kindOf(
  table: SourceTable,
  tables: readonly SourceTable[],
): Pick<PlannedModel, "kind" | "why"> {
  const traits = traitsOf(table, tables);
  const { references, targets, measures, moments, referring } = traits;
  const { amounts, ownMoments } = traits;
  const why = [
    counted(references || "no", "references"),
    counted(measures || "no", "measures"),
    counted(moments || "no", "times"),
    referring.length === 0
      ? "nothing refers to it"
      : `referred to by ${
        referring.map((one) =>
          tables.filter(({ name }) => name === one.name).length > 1
            ? fullName(one)
            : one.name
        ).join(", ")
      }`,
  ].join(", ");
  const hasDetails = referring.every((other) =>
    momentsOf(other, tables).own === 0
  );
  const isFact = referring.length === 0
    ? references > 1 || (references === 1 && measures + ownMoments > 0)
    : referring.length <= REFERRING_MAX &&
      (targets > 2
        ? ownMoments > 0 || (moments > 0 && measures > 0)
        : targets === 2 && ownMoments > 0 && amounts > 0 && hasDetails);
  return { kind: isFact ? "fact" : "dimension", why };
}

function traitsOf(
  table: SourceTable,
  tables: readonly SourceTable[],
): Traits {
  const others = table.foreignKeys.filter((key) => !isOf(key, table));
  const measures = valuesOf(table).filter(({ valueType }) =>
    MEASURE.test(valueType)
  );
  const moments = momentsOf(table, tables);
  return {
    references: others.length,
    targets: new Set(
      others.map((key) => fullName({ schema: key.schema, name: key.table })),
    ).size,
    measures: measures.length,
    amounts: measures.filter(({ valueType }) => AMOUNT.test(valueType)).length,
    moments: moments.all,
    ownMoments: moments.own,
    referring: tables.filter((one) =>
      one !== table && one.foreignKeys.some((key) => isOf(key, table))
    ),
  };
}

function isOf(key: ForeignKey, table: SourceTable): boolean {
  return key.table === table.name && key.schema === table.schema;
}

/** The columns that belong to neither the key nor a reference. */
function valuesOf(table: SourceTable): SourceColumn[] {
  const referring = table.foreignKeys.flatMap(({ columns }) => columns);
  return table.columns.filter(({ name }) =>
    !referring.includes(name) && !table.uniqueKeys[0]?.includes(name)
  );
}

/**
 * A time that most tables have says when a row was written, not when a thing
 * happened.
 */
function momentsOf(table: SourceTable, tables: readonly SourceTable[]) {
  const moments = valuesOf(table).filter(({ valueType }) =>
    MOMENT.test(valueType)
  );
  const own = moments.filter(({ name }) =>
    tables.filter(({ columns }) => columns.some((one) => one.name === name))
      .length <= Math.max(tables.length / 2, 1)
  );
  return { all: moments.length, own: own.length };
}
