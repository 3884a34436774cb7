// @ts-check
// The pill in the corner: the worst of what there is to say.
import { isTimed } from "./address.js";
import { $, write } from "./elements.js";
import { failing } from "./failures.js";
import { figure } from "./formats.js";
import {
  isFromFuture,
  pastBatch,
  secondsBehind,
  shownBatch,
  state,
} from "./state.js";
import { duration } from "./times.js";

/** Shows it. */
export function showStatus() {
  const [level, text, age] = statusOf();
  const pill = $("status");
  pill.dataset.state = level;
  write($("status-text"), text);
  write($("status-age"), age);
}

/** @returns {[string, string, string]} */
function statusOf() {
  const seconds = secondsBehind();
  if (state.up === null) return ["unknown", "Connecting…", ""];
  if (!state.up) return ["stale", "Offline: the figures may be old", ""];
  if (state.problem !== null) return ["stale", "Not up to date", ""];
  if (isFromFuture()) return ["stale", "Age unknown", ""];
  const [failed, ...others] = failing(state.stages);
  if (failed !== undefined) {
    return [
      "stale",
      others.length > 0
        ? `Not updating: ${figure(others.length + 1)} stages fail`
        : `Not updating: ${failed.stage} fails`,
      state.newest === null ? "" : `${duration(Math.max(0, seconds))} old`,
    ];
  }
  if (seconds > state.targetMinutes * 60) {
    return ["stale", "Stale", duration(seconds)];
  }
  if (isTimed() && pastBatch() !== null) {
    return ["past", "Past", `batch ${figure(shownBatch())}`];
  }
  if (state.newest === null) return ["unknown", "No batch yet", ""];
  const checks = Number(state.newest.checks_failing ?? 0);
  if (checks > 0) {
    return [
      "failing",
      checks === 1 ? "1 check fails" : `${figure(checks)} checks fail`,
      "",
    ];
  }
  return ["live", "Live", duration(Math.max(0, seconds))];
}
