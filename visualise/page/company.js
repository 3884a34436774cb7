// @ts-check
// What the server says of the company: what is measured, and its records.
import { $ } from "./elements.js";
import { knowFigures, useLabels } from "./formats.js";
import { get } from "./state.js";
import { useTimeZone } from "./times.js";

/**
 * @typedef {{
 *   name: string,
 *   unit: "count" | "number" | "money",
 *   currency?: string,
 *   moreIsGood?: boolean,
 * }} Measure
 */

/** @typedef {{ dimension: string, names: string[] }} Names */

/**
 * What the figure of a card is to reach, or not to exceed: over twelve months
 * or, of what is stacked by state, in the worst.
 * @typedef {{
 *   bound: "atLeast" | "atMost",
 *   amount: number | Record<string, number>,
 * }} Target
 */

/** @typedef {{ name: string, title: string, only?: Names, target?: Target }} OwnCard */

/**
 * One fact, and what is measured of it. `boards` list and filter it, each
 * perhaps `within` another; `splits` stay apart in each figure; `states` are
 * stacked, the worst first; `ageing` has how long the worst are late.
 * @typedef {{
 *   name: string,
 *   record: string,
 *   key: string[],
 *   measures: Measure[],
 *   main: string,
 *   boards: { name: string, within?: string }[],
 *   splits: string[],
 *   states?: Names,
 *   ageing?: string[],
 *   has_trail: boolean,
 *   cards: OwnCard[],
 * }} Subject
 */

/** @typedef {OwnCard & { subject: Subject }} Card */

/**
 * @typedef {{
 *   timeZone?: string,
 *   currency?: string,
 *   period: "12m" | "all",
 *   labels: Record<string, string>,
 *   accent?: { light?: string, dark?: string },
 *   signed_in: boolean,
 *   records: {
 *     name: string,
 *     title: string,
 *     meanings: Record<string, string>,
 *   }[],
 *   subjects: Subject[],
 * }} Company
 */

/** @type {Company} */
let company = {
  period: "12m",
  labels: {},
  signed_in: false,
  records: [],
  subjects: [],
};

/** Fetches what is not known yet: a first load may bring it. */
export async function askCompany(/** @type {AbortSignal} */ signal) {
  if (company.subjects.length > 0) return;
  company = await get("api/company", signal);
  useTimeZone(company.timeZone);
  $("sign-out").hidden = !company.signed_in;
  knowFigures(company.subjects.flatMap(({ measures }) => measures));
  useLabels(company.labels);
  for (const [scheme, colour] of Object.entries(company.accent ?? {})) {
    document.documentElement.style.setProperty(`--accent-${scheme}`, colour);
  }
}

/** What the server says of the company. */
export function ourCompany() {
  return company;
}

/** The large figures, in order. */
export function cardsOf() {
  return company.subjects.flatMap((subject) =>
    subject.cards.map((card) => ({ ...card, subject }))
  );
}

/** The names that filter everything that has them. */
export function filterNames() {
  return [
    ...new Set(
      company.subjects.flatMap(({ boards }) => boards.map(({ name }) => name)),
    ),
  ];
}

/** What people call a record of a kind. */
export function recordTitle(/** @type {string} */ name) {
  return company.records.find((one) => one.name === name)?.title ?? name;
}

/**
 * What a column of a kind of records means, if its model's header says so.
 * @param {string} kind
 * @param {string} column
 */
export function meaningOf(kind, column) {
  const meanings = company.records.find(({ name }) => name === kind)?.meanings;
  return Object.hasOwn(meanings ?? {}, column) ? meanings?.[column] : undefined;
}

/** The address of a record, by the parts of its key. */
export function recordAddress(
  /** @type {string} */ name,
  /** @type {string[]} */ key,
) {
  return [name, ...key.map(encodeURIComponent)].join("/");
}

/** A code as people say it: GIFT_CARD is gift card. */
export function inWords(/** @type {string} */ code) {
  return /^[A-Z]+(_[A-Z]+)+$/.test(code)
    ? code.toLowerCase().replaceAll("_", " ")
    : code;
}
