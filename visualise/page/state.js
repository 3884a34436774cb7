// @ts-check
// What the page knows of the server, and its requests to it.
import { param } from "./address.js";
import { isoTime } from "./times.js";

/** The warehouse may take 20 seconds, after the queries that are waiting. */
const ANSWER_MS = 40_000;
/** The clocks of two machines may differ by this much. */
const CLOCKS_DIFFER_SECONDS_MAX = 60;

export const state = {
  /**
   * The ledger's row of the newest batch; null if there is none.
   * @type {Record<string, string> | null}
   */
  newest: null,
  /** When it was fetched: its age counts from then. */
  askedAt: 0,
  /** By how much the server's clock is ahead of this one. */
  clockAheadMs: 0,
  /** Whether the server streams events; if not, the page polls. */
  streams: true,
  /**
   * The server's turn when the newest batch was fetched; see its events.
   * @type {number | null}
   */
  turn: null,
  /** How far the warehouse may be behind its source: the server's setting. */
  targetMinutes: Infinity,
  /** Whether the connection to the warehouse is up; null until it is known. */
  up: /** @type {boolean | null} */ (null),
  /** Why the figures could not be updated; null if they were. */
  problem: /** @type {string | null} */ (null),
  /**
   * All batches over time; empty until they are asked for.
   * @type {import("./strip.js").Span[]}
   */
  spans: [],
  /**
   * Where the stages stand; empty until that is asked for.
   * @type {import("./pipeline.js").Stage[]}
   */
  stages: [],
  /** The snapshot time of what is shown. */
  snapshotTime: "",
};

/** An error of a request; if it is final, repeating it does not help. */
export class AnswerError extends Error {
  constructor(
    /** @type {string} */ message,
    /** @type {boolean} */ isFinal,
  ) {
    super(message);
    this.isFinal = isFinal;
  }
}

export function newestBatch() {
  return Number(state.newest?.batch ?? 0);
}

/** The batch in the past that the address names; null for now. */
export function pastBatch() {
  const at = param("at") ?? "";
  const batch = Number(at);
  return /^\d{1,15}$/.test(at) && batch >= 1 && batch < newestBatch()
    ? batch
    : null;
}

export function shownBatch() {
  return pastBatch() ?? newestBatch();
}

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

/** Seconds since a time of the pipeline, by its clock; NaN without one. */
export function secondsSince(/** @type {string | null | undefined} */ time) {
  const now = Date.now() + state.clockAheadMs;
  return (now - Date.parse(isoTime(time ?? "") ?? "")) / 1000;
}

/**
 * Queries the server; throws its error, or that it does not answer.
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export async function get(path, signal) {
  const late = AbortSignal.timeout(ANSWER_MS);
  const either = signal === undefined ? [late] : [late, signal];
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, { signal: AbortSignal.any(either) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new AnswerError("the dashboard's server does not answer", false);
  }
  return await read(answer);
}

async function read(/** @type {Response} */ answer) {
  if (answer.ok) return await answer.json();
  // Signed out: reloading the page shows the sign-in form.
  if (answer.status === 401) location.reload();
  const { message } = await answer.json().catch(() => ({}));
  throw new AnswerError(
    message ?? `HTTP ${answer.status}`,
    // An invalid request stays invalid when repeated; one too many does not.
    answer.status >= 400 && answer.status < 500 && answer.status !== 429,
  );
}

/** Fetches the newest batch, which may be an earlier one after a rebuild. */
export async function askNewest(/** @type {AbortSignal} */ signal) {
  const answer = await get("api/newest", signal);
  state.newest = answer.newest;
  state.streams = answer.streams;
  state.turn = answer.turn;
  state.targetMinutes = answer.freshness_minutes_max;
  state.askedAt = Date.now();
  state.clockAheadMs = Date.parse(answer.time) - state.askedAt;
  if (!answer.streams) state.up = true;
}
