// The views of the pipeline, and of one of its batches.
import { draw } from "./charts.js";
import {
  $,
  make,
  refill,
  scrolled,
  tableOf,
  tableOrWords,
  write,
} from "./elements.js";
import { figure, isFigure, isNumber, rounded, shown } from "./formats.js";
import {
  get,
  isFromFuture,
  newestBatch,
  route,
  secondsBehind,
  state,
} from "./state.js";

/** Fetches where the pipeline stands; see readBusiness. */
export async function readPipeline(signal) {
  const answer = await get("api/pipeline", signal);
  return { batch: newestBatch(), show: () => showPipeline(answer) };
}

/** Fetches all that is known about a batch. */
export async function readBatch(signal) {
  const [batch = ""] = route().given;
  if ($("batch-title").textContent !== `Batch ${batch}`) {
    write($("batch-title"), `Batch ${batch}`);
    $("batch-details").replaceChildren();
  }
  const answer = await get(
    `api/batches/${encodeURIComponent(batch)}`,
    signal,
  );
  return { batch: newestBatch(), show: () => showBatch(answer) };
}

/** Shows how far the warehouse is behind now. */
export function showBehind() {
  if (isFromFuture()) {
    write(
      $("behind"),
      "How far the warehouse is behind the source is unknown: the newest snapshot's time is in the future, so the source's clock was wrong when it was taken.",
    );
    return;
  }
  const seconds = Math.max(0, secondsBehind());
  const minutes = seconds / 60;
  const age = seconds < 120
    ? `${rounded(Math.round(seconds))} seconds`
    : `${rounded(minutes)} minutes`;
  write(
    $("behind"),
    `Now the warehouse is ${age} behind the source${
      minutes > state.targetMinutes
        ? `, over the target of ${rounded(state.targetMinutes)} minutes`
        : ""
    }.`,
  );
}

function showPipeline({ freshness, batches, checks, verification }) {
  showBehind();
  draw("pipeline-charts", "freshness", {
    title: "Behind the source over the last day, minutes",
    batch: newestBatch(),
    rows: freshness.map((row) => ({ ...row, series: "minutes" })),
    table: freshness,
    type: "line",
    times: "at",
    series: "series",
    value: "minutes",
    limit: state.targetMinutes,
  });
  const rows = [...batches].reverse();
  draw("pipeline-charts", "rows", {
    title: "Rows per batch",
    batch: newestBatch(),
    rows: rows.map((row) => ({ ...row, series: "rows" })),
    table: rows,
    type: "bar",
    categories: rows.map((row) => row.batch),
    category: "batch",
    series: "series",
    value: "rows",
  });
  refill($("stages"), scrolled("Stages", tableOf(stagesOf(batches))));
  const listed = batches.map((
    { extracted_at: _, transformed_at: __, ...batch },
  ) => batch);
  refill(
    $("batches"),
    scrolled(
      "Batches",
      tableOf(listed, {
        label: "Details",
        href: ({ batch }) => `#batch/${batch}`,
      }),
    ),
  );
  refill(
    $("checks"),
    tableOrWords("Checks", checks, "No check has run yet."),
  );
  refill(
    $("verification"),
    tableOrWords(
      "Verification",
      verification,
      "Nothing has been verified yet: run deno task verify.",
    ),
  );
}

/** A row for each stage, about the newest batch that was loaded. */
function stagesOf([last]) {
  const { batch, rows, bytes } = last;
  return [
    {
      stage: "extract",
      last_batch: batch,
      done_at: last.extracted_at,
      seconds: last.extract_seconds,
      rows: last.extracted_rows,
      bytes: last.extracted_bytes,
    },
    {
      stage: "transform",
      last_batch: batch,
      done_at: last.transformed_at,
      seconds: last.transform_seconds,
      rows,
      bytes,
    },
    {
      stage: "load",
      last_batch: batch,
      done_at: last.loaded_at,
      seconds: last.load_seconds,
      rows,
      bytes,
    },
  ];
}

/** Shows a batch: its ledger row, its versions by model, its findings. */
function showBatch({ ledger, models, files, found, findings }) {
  refill(
    $("batch-details"),
    make(
      "dl",
      { class: "ledger" },
      ...Object.entries(ledger).flatMap(([name, value]) => [
        make("dt", {}, name.replaceAll("_", " ")),
        make(
          "dd",
          {},
          isFigure(name) && isNumber(value) ? figure(value) : shown(value),
        ),
      ]),
    ),
    make("h3", {}, "Changes to each model"),
    tableOrWords("Versions by model", models, "Nothing."),
    make("h3", {}, "Files in its manifest"),
    tableOrWords(
      "Files",
      files,
      "None, or not recorded: the batch was loaded before files were.",
    ),
    make("h3", {}, "What the checks found"),
    found > findings.length
      ? make(
        "p",
        { class: "muted" },
        `The first ${rounded(findings.length)} of ${
          rounded(found)
        } that were recorded.`,
      )
      : "",
    tableOrWords("Findings", findings, "The checks found nothing in it."),
  );
}
