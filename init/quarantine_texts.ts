import { quoteText } from "../lib/postgres/postgres.ts";
import { decimalOf } from "./model_texts.ts";
import type { Star } from "./star.ts";
import { name } from "./write_contract.ts";

/**
 * Rules for rows whose numbers the models can't hold, by table: a domain is
 * carried as text, so only the models' casts would meet a NaN, which PostgreSQL's
 * numeric has and a decimal has not.
 */
export function quarantineTexts({ models }: Star): Map<string, string> {
  const texts = new Map<string, string>();
  for (const model of models) {
    const faults = model.columns.flatMap((column) => {
      const decimal = decimalOf(model, column);
      const own = name(column.source.name);
      return decimal === undefined ? [] : [{
        where: `try_cast(${own} as ${decimal}) is null and ${own} is not null`,
        reason: `${
          quoteText(`${column.source.name} is no ${decimal}: `)
        } || ${own}`,
      }];
    });
    // No file can have another name.
    if (faults.length === 0 || /[/\\]/.test(model.called)) continue;
    texts.set(
      model.called,
      ruleText(model.key.map(name), {
        table: name(model.called),
        faults,
      }),
    );
  }
  return texts;
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
  return `-- Rows of this batch to set aside: a number of theirs is NaN.

${selects.join("union all\n")}`;
}
