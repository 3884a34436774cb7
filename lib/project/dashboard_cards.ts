import type { Measure, Subject } from "./dashboard.ts";
import type { CardSettings, DashboardSettings } from "./dashboard_settings.ts";

/** The measure of a card's figure: the first of money, if there is any. */
export function mainMeasure(subject: Subject): string {
  return (moneyOf(subject) ?? subject.measures[0])?.name ?? "";
}

/** The first measure of money; undefined without any. */
export function moneyOf({ measures }: Subject): Measure | undefined {
  return measures.find(({ unit }) => unit === "money");
}

/**
 * Gives the cards of subjects what the settings say of them, and calls
 * `problem` with what does not fit them.
 */
export function withSettings(
  subjects: readonly Subject[],
  { cards, labels }: Pick<DashboardSettings, "cards" | "labels">,
  problem: (found: string) => void,
): Subject[] {
  const known = subjects.flatMap((subject) =>
    subject.cards.map(({ name }) => name)
  );
  for (const name of Object.keys(cards)) {
    if (!known.includes(name)) {
      problem(`no card is called ${name}: there are ${known.join(", ")}`);
    }
  }
  const labelled = subjects.flatMap(({ measures, dimensions }) =>
    [...measures, ...dimensions].map(({ name }) => name)
  );
  for (const name of Object.keys(labels)) {
    if (!labelled.includes(name)) {
      problem(`no measure or dimension is called ${name}`);
    }
  }
  return subjects.map((subject) => ({
    ...subject,
    cards: subject.cards.map((card) => {
      const { [card.name]: said = {} } = cards;
      const fault = faultOf(said, subject);
      if (fault !== undefined) problem(`the card ${card.name}: ${fault}`);
      const { title, target } = said;
      return {
        ...card,
        ...title === undefined ? {} : { title },
        ...target === undefined || fault !== undefined ? {} : { target },
      };
    }),
  }));
}

/** Why a target does not fit the figure of a subject; undefined if it does. */
function faultOf(
  { target }: CardSettings,
  subject: Subject,
): string | undefined {
  if (target === undefined) return undefined;
  const main = subject.measures.find(({ name }) =>
    name === mainMeasure(subject)
  );
  const isByCurrency = subject.dimensions.some(({ name }) =>
    name === main?.currency
  );
  if (isByCurrency === (typeof target.amount === "object")) return undefined;
  return isByCurrency
    ? `its figure has several currencies, and its target is not by currency, as in {"${target.bound}": {"GBP": 1000}}`
    : `its figure is not by currency, and its target is`;
}
