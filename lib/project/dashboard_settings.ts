import { isTimeZone } from "../time_zone.ts";

/** What the figure of a card is to reach, or not to exceed. */
export interface Target {
  bound: "atLeast" | "atMost";
  /** By currency, if the figure is money of several. */
  amount: number | Readonly<Record<string, number>>;
}

/** What a company says of one of its cards. */
export interface CardSettings {
  title?: string;
  target?: Target;
}

/** The colour of links and of what is chosen, in the light and in the dark. */
export interface Accent {
  light?: string;
  dark?: string;
}

/** The settings of a company's dashboard. */
export interface DashboardSettings {
  /** The company's name. */
  name: string;
  /** The zone in which times are shown; the reader's if left out. */
  timeZone?: string;
  /** The currency that is shown at first; the most frequent if left out. */
  currency?: string;
  period: "12m" | "all";
  /** The files in the order in which their cards are shown. */
  order: readonly string[];
  /** By the names of cards. */
  cards: Readonly<Record<string, CardSettings>>;
  /** What measures and dimensions are called, by their names. */
  labels: Readonly<Record<string, string>>;
  accent?: Accent;
}

const NAMES = [
  "name",
  "timeZone",
  "currency",
  "period",
  "order",
  "cards",
  "labels",
  "accent",
];
const COLOUR = /^#[0-9a-f]{6}$/i;
/** The darker of the page's two backgrounds in the light, the lighter in the dark. */
const BACKGROUNDS = { light: "#f6f7f9", dark: "#19212a" } as const;
/** What WCAG asks of text, level AA. */
const CONTRAST_MIN = 4.5;

type Problem = (found: string) => void;

/** Reads `settings.json`; calls `problem` with each that it finds. */
export function readSettings(
  text: string | undefined,
  problem: Problem,
): DashboardSettings {
  const fields = parseObject(text ?? "{}");
  if (fields === undefined) problem("it isn't a JSON object");
  unknownNames(fields ?? {}, NAMES, problem);
  const textOf = (name: string) => {
    const value = fields?.[name];
    if (value === undefined) return undefined;
    if (typeof value === "string" && value !== "") return value;
    problem(`"${name}" isn't a text`);
  };
  const order = fields?.order ?? [];
  if (!isTexts(order)) problem(`"order" isn't a list of files`);
  const period = textOf("period") ?? "12m";
  if (period !== "12m" && period !== "all") {
    problem(`"period" is neither "12m" nor "all"`);
  }
  const timeZone = textOf("timeZone");
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    problem(
      `"timeZone" is "${timeZone}": a time zone such as Europe/London is expected`,
    );
  }
  const currency = textOf("currency");
  const accent = readAccent(fields?.accent, problem);
  return {
    name: textOf("name") ?? "Dashboard",
    period: period === "all" ? "all" : "12m",
    order: isTexts(order) ? order : [],
    cards: readCards(fields?.cards, problem),
    labels: readLabels(fields?.labels, problem),
    ...timeZone === undefined ? {} : { timeZone },
    ...currency === undefined ? {} : { currency },
    ...accent === undefined ? {} : { accent },
  };
}

function readCards(
  value: unknown,
  problem: Problem,
): Record<string, CardSettings> {
  if (value === undefined) return {};
  if (!isObject(value)) {
    problem(`"cards" isn't an object with a card's settings by its name`);
    return {};
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, card]): [string, CardSettings] => {
      const { title, target } = isObject(card) ? card : {};
      if (!isObject(card)) problem(`the card "${name}" isn't an object`);
      else unknownNames(card, ["title", "target"], problem);
      if (title !== undefined && !isText(title)) {
        problem(`the title of the card "${name}" isn't a text`);
      }
      const read = target === undefined ? undefined : readTarget(target);
      if (target !== undefined && read === undefined) {
        problem(
          `the target of the card "${name}" is not of the form {"atLeast": 1000} or {"atMost": {"GBP": 1000}}`,
        );
      }
      return [name, {
        ...isText(title) ? { title } : {},
        ...read === undefined ? {} : { target: read },
      }];
    }),
  );
}

/** Undefined if it isn't one. */
function readTarget(value: unknown): Target | undefined {
  if (!isObject(value)) return undefined;
  const [[bound, amount] = [], ...others] = Object.entries(value);
  if (others.length > 0 || (bound !== "atLeast" && bound !== "atMost")) {
    return undefined;
  }
  if (isAmount(amount)) return { bound, amount };
  if (!isObject(amount)) return undefined;
  const amounts = Object.entries(amount).filter(
    (entry): entry is [string, number] => isAmount(entry[1]),
  );
  return amounts.length > 0 && amounts.length === Object.keys(amount).length
    ? { bound, amount: Object.fromEntries(amounts) }
    : undefined;
}

function readLabels(value: unknown, problem: Problem): Record<string, string> {
  if (value === undefined) return {};
  const labels = Object.entries(isObject(value) ? value : {}).filter(
    (entry): entry is [string, string] => isText(entry[1]),
  );
  if (!isObject(value) || labels.length < Object.keys(value).length) {
    problem(`"labels" isn't an object with a text by a name`);
  }
  return Object.fromEntries(labels);
}

function readAccent(value: unknown, problem: Problem): Accent | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) {
    problem(`"accent" is not of the form {"light": "#0b62a8"}`);
    return undefined;
  }
  unknownNames(value, Object.keys(BACKGROUNDS), problem);
  const colours = Object.entries(BACKGROUNDS).flatMap(([name, background]) => {
    const colour = value[name];
    if (colour === undefined) return [];
    if (typeof colour !== "string" || !COLOUR.test(colour)) {
      problem(`the accent's "${name}" is no colour such as "#0b62a8"`);
      return [];
    }
    const contrast = contrastOf(colour, background);
    if (contrast < CONTRAST_MIN) {
      problem(
        `the accent's "${name}" is ${colour}, which can't be read well on ${background}: its contrast is ${
          contrast.toFixed(1)
        }, and ${CONTRAST_MIN} are needed`,
      );
    }
    return [[name, colour]];
  });
  return Object.fromEntries(colours);
}

/** The contrast of two colours by WCAG, from 1 to 21. */
function contrastOf(one: string, other: string): number {
  const [low = 0, high = 0] = [one, other].map(luminanceOf)
    .toSorted((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminanceOf(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((place) => {
    const share = parseInt(colour.slice(place, place + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function unknownNames(
  fields: Record<string, unknown>,
  known: readonly string[],
  problem: Problem,
): void {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) {
      problem(`"${name}" is not one of ${known.join(", ")}`);
    }
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
}
