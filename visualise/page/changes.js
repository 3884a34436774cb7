// The view of what changed between two batches, and of one fact's history.
import { $, make, refill, scrolled, write } from "./elements.js";
import { rounded, shown, shownValue } from "./formats.js";
import { get, newestBatch, route, shownBatch, state } from "./state.js";

/** Whether a history was just asked for. */
let isOpening = false;

/** Fetches what changed, and the history in the address; see readBusiness. */
export async function readChanges(signal) {
  const batch = shownBatch();
  const since = state.since !== null && state.since < batch
    ? state.since
    : batch - 1;
  const [fact, key] = route().given;
  const [answer, events] = await Promise.all([
    get(`api/changes/${batch}?since=${since}`, signal),
    fact === undefined || key === undefined ? null : get(
      `api/history/${encodeURIComponent(fact)}/${encodeURIComponent(key)}`,
      signal,
    ),
  ]);
  return {
    batch,
    snapshotTime: answer.snapshot_time,
    show: () => {
      write($("changes-batch"), rounded(batch));
      $("since").max = String(batch - 1);
      if (document.activeElement !== $("since")) {
        $("since").value = String(since);
      }
      showChanges(answer);
      if (events === null) return $("history").replaceChildren();
      $("history-fact").value = fact;
      $("history-key").value = key;
      showHistory(events);
      if (!isOpening) return;
      isOpening = false;
      $("history-title").focus();
    },
  };
}

/** Goes to the history of a fact. */
export function openHistory(fact, key) {
  isOpening = true;
  location.hash = `changes/${fact}/${key}`;
}

function showChanges({ changes, cut, most }) {
  $("changes-cut").hidden = cut.length === 0;
  $("changes-cut").textContent =
    `Only the first ${most} changes by key are shown for each of: ${
      cut.join(", ")
    }.`;
  const heads = ["Fact", "Key", "", "Column", "Before", "After"];
  refill(
    $("changes-list"),
    changes.length === 0 ? make("p", {}, "No fact changed.") : scrolled(
      "Changes",
      make(
        "table",
        {},
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            ...heads.map((name) => make("th", { scope: "col" }, name)),
          ),
        ),
        make("tbody", {}, ...changes.flatMap(rowsOfChange)),
      ),
    ),
  );
}

/** A row for each column that differs; the first also names the fact. */
function rowsOfChange({ fact, key, kind, columns }) {
  return columns.map(({ name, before, after }, index) =>
    make(
      "tr",
      {},
      make("td", {}, index === 0 ? fact : ""),
      make("td", {}, index === 0 ? historyButton(fact, key) : ""),
      make("td", { class: `kind-${kind}` }, index === 0 ? kind : ""),
      make("td", {}, name),
      make("td", { class: "before" }, shownValue(name, before)),
      make("td", {}, shownValue(name, after)),
    )
  );
}

/** A button with a key, which opens the history of its fact. */
function historyButton(fact, key) {
  return make("button", {
    type: "button",
    class: "key",
    "aria-label": `History of ${fact} ${key}`,
    onclick: () => openHistory(fact.replace(" ", "-"), key),
  }, key);
}

/** Shows what happened to a fact, the oldest first, as a timeline. */
function showHistory(events) {
  refill(
    $("history"),
    events.length === 0
      ? make("p", {}, "The warehouse has never had this fact.")
      : make("ol", { class: "timeline" }, ...events.map(momentOf)),
  );
}

function momentOf({ batch, at, kind, columns }) {
  const heading = make(
    "p",
    {},
    make("strong", {}, kind),
    ` in batch ${rounded(batch)}, ${shown(at)} `,
    make("button", {
      type: "button",
      "aria-label": `Everything as of then, batch ${batch}`,
      onclick: () => goTo(Number(batch)),
    }, "Everything as of then"),
  );
  const described = columns.flatMap(({ name, before, after }) => [
    make("dt", {}, name.replaceAll("_", " ")),
    make(
      "dd",
      {},
      ...(kind === "updated"
        ? [make("del", {}, shownValue(name, before ?? "nothing")), " → "]
        : []),
      make("ins", {}, shownValue(name, after ?? "nothing")),
    ),
  ]);
  return make(
    "li",
    { class: `kind-${kind}`, "data-event": kind },
    heading,
    kind === "deleted" ? "" : make("dl", { class: "columns" }, ...described),
  );
}

/** Sets the time machine to a batch, and shows the business as of it. */
function goTo(batch) {
  state.batch = batch === newestBatch() ? null : batch;
  $("slider").value = String(batch);
  location.hash = "business";
}
