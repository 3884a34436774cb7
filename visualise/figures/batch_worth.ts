import type { Subject } from "../../lib/project/dashboard.ts";
import { moneyOf } from "../../lib/project/dashboard_cards.ts";
import { quoteName, quoteText } from "../../lib/sql/quote.ts";
import { hasTrail, trailSql } from "./batch_changes_sql.ts";
import type { Warehouse } from "../warehouse.ts";

/**
 * Reads by how much the batches after one and up to another moved the sum of
 * each subject's first measure of money, by currency. Figures of a day, and of
 * several rows or models, have no such sum.
 */
export async function readWorth(
  warehouse: Warehouse,
  subjects: readonly Subject[],
  { since, batch }: { since: number; batch: number },
) {
  return await Promise.all(
    subjects.filter(hasTrail).flatMap((subject) => {
      const money = moneyOf(subject);
      return money === undefined ? [] : [readSums(warehouse, subject, {
        money,
        range: [[String(since)], [String(batch)], batch],
      })];
    }),
  );
}

async function readSums(
  warehouse: Warehouse,
  subject: Subject,
  { money: { name, currency = "" }, range }: {
    money: Subject["measures"][number];
    range: [string[], string[], number];
  },
) {
  const isSeveral = subject.dimensions.some((one) => one.name === currency);
  const sums = await warehouse.ask({
    name: `worth of ${subject.name}`,
    text: `select ${
      isSeveral ? quoteName(currency) : quoteText(currency)
    } as currency, sum(${quoteName(name)}) as value
  from (${trailSql(subject)}) as trail
  group by 1
  order by 1`,
  }, range);
  return { subject: subject.name, sums };
}
