// What the page knows, and how it asks for more.
import { $ } from "./elements.js";

/** The warehouse is to be no further behind its source. */
export const PROMISE_MINUTES = 30;
/** The warehouse may take 20 seconds, and others may come before. */
const ANSWER_MS = 40_000;

export const state = {
  /** What the ledger says of the newest batch; null: there is none. */
  newest: null,
  /** When it was asked for: it grows older from then on. */
  askedAt: 0,
  /** Whether the server tells of batches; else it is asked again and again. */
  streams: true,
  /** The batch that is shown; null: the newest, and so on with it. */
  batch: null,
  /** What changed after this batch; null: the one before that is shown. */
  since: null,
  /** Whether the warehouse can be heard. */
  up: false,
};

export function newestBatch() {
  return Number(state.newest?.batch ?? 0);
}

export function shownBatch() {
  return state.batch ?? newestBatch();
}

/** Clocks of two machines differ by a little. */
const CLOCKS_DIFFER_SECONDS_MAX = 60;

/** Whether the newest snapshot is of the future: then its age is unknown. */
export function isFromFuture() {
  return state.newest !== null && secondsBehind() < -CLOCKS_DIFFER_SECONDS_MAX;
}

/** Seconds by which the warehouse is behind its source, by what was heard. */
export function secondsBehind() {
  return state.newest === null
    ? 0
    : Number(state.newest.age_seconds) + (Date.now() - state.askedAt) / 1000;
}

/** What is chosen of all that the server selects by. */
export function filters() {
  return {
    from: $("from").value,
    to: $("to").value,
    counterparty: $("counterparty").value,
  };
}

/** What the address asks for: a view, and what it is given. */
export function route() {
  const [view, ...given] = location.hash.slice(1).split("/");
  return ["business", "changes", "pipeline", "batch"].includes(view)
    ? { view, given: given.map(decoded) }
    : { view: "business", given: [] };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Asks the server; throws what it says went wrong, or that it is silent. */
export async function get(path, signal) {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new Error("The server does not answer.")),
    ANSWER_MS,
  );
  const either = [late.signal, ...(signal ? [signal] : [])];
  try {
    return await read(await fetch(path, { signal: AbortSignal.any(either) }));
  } finally {
    clearTimeout(timer);
  }
}

async function read(answer) {
  if (answer.ok) return await answer.json();
  // Signed out: the page itself is the form to sign in by.
  if (answer.status === 401) location.reload();
  const { message } = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(message ?? `HTTP ${answer.status}`), {
    // What can't be will not be for being asked again.
    isFinal: answer.status >= 400 && answer.status < 500,
  });
}

/** Asks which batch is the newest. After a rebuild it may be an earlier one. */
export async function askNewest(signal) {
  const { newest, streams } = await get("api/newest", signal);
  state.newest = newest;
  state.streams = streams;
  state.askedAt = Date.now();
  if (state.batch !== null && state.batch > newestBatch()) state.batch = null;
  if (!streams) state.up = true;
}

/** Says what went wrong, until the next success. */
export function tell(error) {
  $("problem").hidden = error === null;
  $("problem").textContent = error === null
    ? ""
    : `The figures could not be brought up to date: ${error.message}`;
}
