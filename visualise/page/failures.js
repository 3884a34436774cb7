// @ts-check
// What a stage fails with: since when, what that means for the figures, what to
// do about it, and what runs on.
import { make } from "./elements.js";
import { figure } from "./formats.js";
import {
  get,
  newestBatch,
  secondsBehind,
  secondsSince,
  state,
} from "./state.js";
import { ago, duration, lately, moment } from "./times.js";

/** @typedef {import("./pipeline.js").Stage} Stage */

/** How often to ask what no event announces: a failure, and its end. */
const AGE_MAX_MS = 60_000;
const FAILING_AGE_MAX_MS = 15_000;

let askedAt = -Infinity;

/** Asks what fails, unless it was asked shortly before. */
export async function askStages({ afterBatch = false } = {}) {
  const fails = failing(state.stages).length > 0;
  const ageMs = Date.now() - askedAt;
  if (
    !(fails && afterBatch) && ageMs < (fails ? FAILING_AGE_MAX_MS : AGE_MAX_MS)
  ) return;
  askedAt = Date.now();
  const answer = await get("api/stages");
  state.stages = answer.stages;
}

/** The stages that fail. */
export function failing(/** @type {Stage[]} */ stages) {
  return stages.filter(({ failure }) => failure !== null);
}

/** How long a stage has failed, in seconds. */
function failingSeconds(/** @type {Stage} */ { failure }) {
  return Math.max(0, secondsSince(failure?.since)) || 0;
}

/**
 * How long extract has committed nothing, in seconds, if that is longer than
 * the target: then nobody runs it. 0 where it is not known, or fails.
 */
export function idleSeconds(/** @type {Stage} */ stage) {
  const { failure, committed_at } = stage;
  if (stage.stage !== "extract" || failure !== null) return 0;
  const seconds = secondsSince(committed_at);
  return seconds > state.targetMinutes * 60 ? seconds : 0;
}

/** A stage's name at the beginning of a sentence. */
function capital(/** @type {string} */ stage) {
  return stage.slice(0, 1).toUpperCase() + stage.slice(1);
}

/** A panel for each stage that fails. */
export function failurePanels(/** @type {Stage[]} */ stages) {
  return failing(stages).map((stage) => panel(stage, stages));
}

function panel(/** @type {Stage} */ stage, /** @type {Stage[]} */ stages) {
  const { stage: name, failure } = stage;
  if (failure === null) return "";
  const { batch, since, at, message, hint, retryable } = failure;
  const again = since === at ? "" : `, last tried ${moment(at)}`;
  return make(
    "section",
    { class: "failure", "aria-label": `${capital(name)} fails` },
    make(
      "h3",
      {},
      `✗ ${capital(name)} has failed for ${duration(failingSeconds(stage))}`,
    ),
    make(
      "p",
      { class: "muted" },
      `At batch ${figure(batch)}, since ${moment(since)}${again}`,
    ),
    make("p", { class: "message" }, ...withCode(message)),
    make(
      "dl",
      {},
      entry("What to do", [
        ...hint === null
          ? ["Repair what the message names."]
          : withCode(ended(hint)),
        retryable ? " Each run tries it again, and may succeed by itself." : "",
        make(
          "p",
          {},
          "Then run ",
          make("code", {}, "./totesys pipeline"),
          ", or wait for the next run.",
        ),
      ]),
      entry("The figures", [meaning(stage)]),
      entry("The other stages", [
        make(
          "ul",
          {},
          ...stages.filter((other) => other !== stage)
            .map((other) => make("li", {}, othersState(other, stages))),
        ),
      ]),
    ),
  );
}

function entry(
  /** @type {string} */ name,
  /** @type {(Node | string)[]} */ content,
) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, ...content));
}

/** What a failure means for whoever reads the figures. */
function meaning(/** @type {Stage} */ { stage, pending }) {
  const stay = state.newest === null
    ? "There are none until it succeeds."
    : `They stay those of ${moment(state.newest.snapshot_time)}, batch ${
      figure(newestBatch())
    }, ${ago(secondsBehind())}.`;
  if (stage === "extract") {
    return `${stay} No change of the source is lost: the next batch has it.`;
  }
  const waiting = pending ?? 0;
  return `${stay} ${figure(waiting)} ${
    waiting === 1 ? "batch waits" : "batches wait"
  } and will follow: nothing is lost.`;
}

/** The earlier stage that fails or is idle, for which a stage waits. */
export function waitsFor(
  /** @type {Stage} */ stage,
  /** @type {Stage[]} */ stages,
) {
  return stages.slice(0, stages.indexOf(stage))
    .findLast((one) => one.failure !== null || idleSeconds(one) > 0)?.stage;
}

function othersState(
  /** @type {Stage} */ stage,
  /** @type {Stage[]} */ stages,
) {
  const { hidden, failure, pending, batch, committed_at } = stage;
  const name = capital(stage.stage);
  if (hidden !== null) return `? ${name} can't be seen from here`;
  if (failure !== null) return `✗ ${name} fails as well`;
  if (batch === null) return `${name} has no batch yet`;
  const newest = `batch ${figure(batch)}, ${lately(committed_at)}`;
  if (pending !== null && pending > 0) {
    return `… ${name} has ${figure(pending)} pending, after ${newest}`;
  }
  if (idleSeconds(stage) > 0) return `✗ ${name} has stopped after ${newest}`;
  const before = waitsFor(stage, stages);
  return before === undefined
    ? `✓ ${name} goes on: ${newest}`
    : `… ${name} waits for ${before}, after ${newest}`;
}

/** A text in which commands stand in backticks. */
function withCode(/** @type {string} */ text) {
  return text.split("`").map((part, index) =>
    index % 2 === 1 ? make("code", {}, part) : part
  );
}

function ended(/** @type {string} */ text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
