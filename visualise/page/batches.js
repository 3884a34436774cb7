// @ts-check
// The newest batches, as a strip, as a table, and in one line.
import { follow } from "./address.js";
import { scaleOf, stackOf } from "./durations.js";
import { make } from "./elements.js";
import { figure } from "./formats.js";
import { secondsSince, state } from "./state.js";
import { ago, duration, isoTime, lately, moment } from "./times.js";

/** @typedef {Record<string, string>} Row */

/** A day of batches at 15 minutes. */
const STRIP_BATCHES = 96;

/**
 * The newest batches as a strip, the oldest first: high by rows, marked where a
 * check found something or the load was late. The table below has the same for
 * the keyboard.
 */
export function stripOf(/** @type {Row[]} */ batches) {
  const target = state.targetMinutes * 60;
  const newest = batches.slice(0, STRIP_BATCHES).reverse();
  const logOf = (/** @type {Row} */ row) => Math.log10(1 + Number(row.rows));
  const most = Math.max(...newest.map(logOf), 1);
  return newest.map((row) => {
    const found = Number(row.findings);
    const isLate = Number(row.seconds_behind) > target;
    const link = make("a", {
      class: `${found > 0 ? "found" : "well"}${isLate ? " late" : ""}`,
      tabindex: "-1",
      title: [
        `Batch ${row.batch}, ${lately(row.snapshot_time)}`,
        `${count(row.rows)} rows`,
        `${seconds(row.seconds_behind)} behind${isLate ? ", late" : ""}`,
        found === 0 ? "checks found nothing" : `${figure(found)} findings`,
      ].join(" · "),
    });
    link.style.height = `${(20 + logOf(row) / most * 80).toFixed(0)}%`;
    follow(link, { view: "batch", batch: row.batch ?? "" });
    return link;
  });
}

/** The batches, each with how long the stages took as one bar. */
export function batchesTable(/** @type {Row[]} */ batches) {
  const scale = scaleOf(batches);
  return table(
    [
      "batch",
      "snapshot",
      "behind",
      "rows",
      "deletes",
      "extract, transform, load",
      "findings",
    ],
    batches.map((row) => {
      const link = make("a", { "aria-label": `Batch ${row.batch}` });
      link.textContent = row.batch ?? "";
      follow(link, { view: "batch", batch: row.batch ?? "" });
      const found = Number(row.findings);
      return [
        link,
        agoOf(row.snapshot_time),
        seconds(row.seconds_behind),
        count(row.rows),
        count(row.deletes),
        stackOf(row, scale),
        found === 0 ? "0" : make("b", { class: "bad" }, figure(found)),
      ];
    }),
  );
}

/** How long ago a time was; where the mouse rests and on paper, the time. */
function agoOf(/** @type {string | undefined} */ time) {
  const exact = moment(time);
  return make(
    "time",
    { class: "ago", datetime: isoTime(time ?? "") ?? "", title: exact },
    make("span", {}, ago(secondsSince(time))),
    make("span", { class: "unseen" }, ` ${exact}`),
  );
}

/**
 * A table of texts and elements; the first two columns are no figures, and the
 * one before the last has bars.
 * @param {string[]} heads
 * @param {(Node | string | undefined)[][]} rows
 */
function table(heads, rows) {
  const look = (/** @type {number} */ index) =>
    index < 2 || index === heads.length - 2 ? "" : "number";
  return make(
    "table",
    { class: "batches" },
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        ...heads.map((name, index) =>
          make("th", { scope: "col", class: look(index) }, name)
        ),
      ),
    ),
    make(
      "tbody",
      {},
      ...rows.map((row) =>
        make(
          "tr",
          {},
          ...row.map((value, index) =>
            make(
              "td",
              { class: look(index), "data-column": heads[index] },
              value,
            )
          ),
        )
      ),
    ),
  );
}

/**
 * What else says whether all is well, in one line.
 * @param {{
 *   batches: Row[],
 *   checks: Row[],
 *   verification: Row[],
 *   quarantined: number | null,
 * }} answer
 */
export function healthOf({ batches, checks, verification, quarantined }) {
  const passing = checks.filter(({ findings }) => Number(findings) === 0);
  const differences = verification.reduce(
    (sum, row) => sum + Number(row.differences),
    0,
  );
  const [verified] = verification;
  const age = secondsSince(verified?.verified_at);
  const entry = (
    /** @type {string} */ name,
    /** @type {string} */ text,
    /** @type {boolean} */ isWell,
  ) =>
    make(
      "div",
      {},
      make("dt", {}, name),
      make("dd", { class: isWell ? "" : "bad" }, text),
    );
  return [
    entry(
      "Checks",
      `${figure(passing.length)} of ${figure(checks.length)} pass`,
      passing.length === checks.length,
    ),
    entry(
      "Verified",
      verified === undefined
        ? "not yet"
        : `${ago(age)}, ${figure(differences)} ${
          differences === 1 ? "difference" : "differences"
        }`,
      differences === 0,
    ),
    entry(
      "Quarantine",
      quarantined === null
        ? "unknown"
        : `${figure(quarantined)} ${quarantined === 1 ? "row" : "rows"}`,
      quarantined === 0 || quarantined === null,
    ),
    entry(
      "Behind at load",
      `median ${quantile(batches, "seconds_behind", 0.5)}, 95 % within ${
        quantile(batches, "seconds_behind", 0.95)
      }`,
      true,
    ),
  ];
}

/**
 * The value of a column of seconds that a share of the rows does not exceed.
 * @param {Row[]} rows
 * @param {string} column
 * @param {number} share
 */
export function quantile(rows, column, share) {
  const values = rows.map((row) => row[column])
    .filter((value) => value != null).map(Number).sort((a, b) => a - b);
  const value = values[Math.ceil(values.length * share) - 1];
  return value === undefined ? "–" : duration(value);
}

export function seconds(/** @type {string | null | undefined} */ value) {
  return value == null ? "–" : duration(Number(value));
}

export function count(/** @type {string | null | undefined} */ value) {
  return value == null ? "–" : figure(value);
}
