// The page's state, and its requests to the server.
import { $ } from "./elements.js";

/** The warehouse may take 20 seconds, after the queries that are waiting. */
const ANSWER_MS = 40_000;

export const state = {
  /** The ledger's row of the newest batch; null if there is none. */
  newest: null,
  /** When it was fetched: its age counts from then. */
  askedAt: 0,
  /** Whether the server streams events; if not, the page polls. */
  streams: true,
  /** The server's turn when the newest batch was fetched; see its events. */
  turn: null,
  /** How far the warehouse may be behind its source: the server's setting. */
  targetMinutes: Infinity,
  /** The batch that is shown; null to follow the newest. */
  batch: null,
  /** Changes after this batch are shown; null for the batch before. */
  since: null,
  /** Whether the connection to the warehouse is up. */
  up: false,
};

export function newestBatch() {
  return Number(state.newest?.batch ?? 0);
}

export function shownBatch() {
  return state.batch ?? newestBatch();
}

/** The clocks of two machines may differ by this much. */
const CLOCKS_DIFFER_SECONDS_MAX = 60;

/** Whether the newest snapshot is in the future: then its age is unknown. */
export function isFromFuture() {
  return state.newest !== null && secondsBehind() < -CLOCKS_DIFFER_SECONDS_MAX;
}

/** Seconds by which the warehouse is behind its source, as far as known. */
export function secondsBehind() {
  return state.newest === null
    ? 0
    : Number(state.newest.age_seconds) + (Date.now() - state.askedAt) / 1000;
}

/** The filters that the server applies. */
export function filters() {
  return {
    from: $("from").value,
    to: $("to").value,
    counterparty: $("counterparty").value,
  };
}

/** The view that the address names, and its arguments. */
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

/** Queries the server; throws its error, or that it does not answer. */
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
  // Signed out: reloading the page shows the sign-in form.
  if (answer.status === 401) location.reload();
  const { message } = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(message ?? `HTTP ${answer.status}`), {
    // An invalid request stays invalid when repeated.
    isFinal: answer.status >= 400 && answer.status < 500,
  });
}

/** Fetches the newest batch, which may be an earlier one after a rebuild. */
export async function askNewest(signal) {
  const answer = await get("api/newest", signal);
  const { newest, streams } = answer;
  state.newest = newest;
  state.streams = streams;
  state.turn = answer.turn;
  state.targetMinutes = answer.freshness_minutes_max;
  state.askedAt = Date.now();
  if (state.batch !== null && state.batch > newestBatch()) state.batch = null;
  if (!streams) state.up = true;
}

/** Shows what went wrong, until the next success. */
export function tell(error) {
  $("problem").hidden = error === null;
  $("problem").textContent = error === null
    ? ""
    : `The figures could not be updated: ${error.message}`;
}
