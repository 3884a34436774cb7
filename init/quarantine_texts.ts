import { quarantineName } from "../lib/project/quarantine_file.ts";
import { quoteText } from "../lib/sql/quote.ts";
import { decimalOf, finiteSql } from "./model_texts.ts";
import type { Star } from "./star.ts";
import { quoteIfNeeded } from "./write_contract.ts";

/**
 * Rules for rows whose values the models can't hold, by the names of their
 * files. A domain, or a date that may be infinite, is carried as text, so only
 * the models' casts would meet a NaN, which PostgreSQL's numeric has and a
 * decimal has not, or a year that DuckDB doesn't read.
 */
export function quarantineTexts({ models }: Star): Map<string, string> {
  const texts = new Map<string, string>();
  for (const model of models) {
    const faults = model.columns.flatMap((column) => {
      const type = decimalOf(model, column) ?? column.moment;
      const own = quoteIfNeeded(column.source.name);
      const cast = column.moment === undefined ? own : finiteSql(column);
      return type === undefined ? [] : [{
        where: `${cast} is not null
    and ${misread(own, { cast, type })}`,
        reason: `${
          quoteText(`${column.source.name} is no ${type}: `)
        } || ${own}`,
      }];
    });
    if (faults.length === 0) continue;
    texts.set(
      quarantineName(model.contractName),
      ruleText(model.key.map(quoteIfNeeded), {
        table: quoteIfNeeded(model.contractName),
        faults,
      }),
    );
  }
  return texts;
}

/** DuckDB ignores what follows a date: 44 BC would become AD 44. */
function misread(own: string, { cast, type }: { cast: string; type: string }) {
  const fails = `try_cast(${cast} as ${type}) is null`;
  return type === "date" ? `(${own} like '% BC' or ${fails})` : fails;
}

function ruleText(
  key: readonly string[],
  { table, faults }: {
    table: string;
    faults: readonly { where: string; reason: string }[];
  },
): string {
  const selects = faults.map(({ where, reason }) =>
    `select
    ${[...key, `${reason} as reason`].join(",\n    ")}
from arrived.${table}
where ${where}
`
  );
  return `-- Rows of this batch to set aside: a model can't hold a value of theirs, such
-- as NaN in a decimal.

${selects.join("union all\n")}`;
}
