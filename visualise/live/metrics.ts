import type { Pipeline } from "./pipeline_view.ts";

/** A metric of Prometheus: its name, what it is, and its samples. */
interface Metric {
  name: string;
  help: string;
  /** A gauge, unless it only grows. */
  type?: "counter";
  samples: { labels?: Record<string, string>; value: number | null }[];
}

/** Prometheus' text format, version 0.0.4. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The pipeline's state as metrics for Prometheus; unknown ones are left out. */
export function formatMetrics(
  pipeline: Pipeline,
  options: { freshnessMinutesMax: number; requestsRefused: number },
): string {
  return [
    ...freshnessMetrics(pipeline, options.freshnessMinutesMax),
    ...stageMetrics(pipeline),
    ...dataMetrics(pipeline),
    {
      name: "pipeline_dashboard_requests_refused_total",
      help: "Requests that exceeded the dashboard's rates since it started.",
      type: "counter" as const,
      samples: [{ value: options.requestsRefused }],
    },
  ].map(formatMetric).join("");
}

function freshnessMetrics(
  { newest }: Pipeline,
  freshnessMinutesMax: number,
): Metric[] {
  return [
    {
      name: "pipeline_freshness_seconds",
      help: "Age of the newest snapshot in the warehouse.",
      samples: [{ value: numberOf(newest?.age_seconds) }],
    },
    {
      name: "pipeline_freshness_target_seconds",
      help: "Age over which the warehouse counts as stale.",
      samples: [{ value: freshnessMinutesMax * 60 }],
    },
  ];
}

function stageMetrics({ stages, batches: [last] }: Pipeline): Metric[] {
  return [
    {
      name: "pipeline_batch",
      help: "Number of the newest batch of a stage.",
      samples: stages.map(({ stage, batch }) => ({
        labels: { stage },
        value: batch,
      })),
    },
    {
      name: "pipeline_pending_batches",
      help: "Batches pending for a stage.",
      samples: stages.map(({ stage, pending }) => ({
        labels: { stage },
        value: pending,
      })),
    },
    {
      name: "pipeline_stage_failed",
      help:
        "Whether the newest run of a stage failed, and its batch is pending.",
      samples: stages.filter(({ hidden }) => hidden === null)
        .map(({ stage, failure }) => ({
          labels: { stage },
          value: failure === null ? 0 : 1,
        })),
    },
    {
      name: "pipeline_stage_duration_seconds",
      help: "Seconds that a stage took for the newest batch loaded.",
      samples: ["extract", "transform", "load"].map((stage) => ({
        labels: { stage },
        value: numberOf(last?.[`${stage}_seconds`]),
      })),
    },
  ];
}

function dataMetrics(
  { checks, verification, quarantined, batches: [last] }: Pipeline,
): Metric[] {
  return [
    {
      name: "pipeline_batch_rows",
      help: "Rows of the newest batch loaded.",
      samples: [{ value: numberOf(last?.rows) }],
    },
    {
      name: "pipeline_check_findings",
      help: "Findings of a check's latest result.",
      samples: checks.map(({ check_name, severity, findings }) => ({
        labels: { check: check_name ?? "", severity: severity ?? "" },
        value: numberOf(findings),
      })),
    },
    {
      name: "pipeline_verification_differences",
      help: "Differences that the newest verification found in a place.",
      samples: [...Map.groupBy(verification, ({ place }) => place ?? "")]
        .map(([place, rows]) => ({
          labels: { place },
          value: rows.reduce((sum, row) => sum + Number(row.differences), 0),
        })),
    },
    {
      name: "pipeline_quarantined_rows",
      help: "Rows in quarantine.",
      samples: [{ value: quarantined }],
    },
  ];
}

function formatMetric({ name, help, type, samples }: Metric): string {
  const known = samples.filter(({ value }) => value !== null);
  if (known.length === 0) return "";
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type ?? "gauge"}`,
    ...known.map(({ labels = {}, value }) =>
      `${name}${formatLabels(labels)} ${value}`
    ),
    "",
  ].join("\n");
}

function formatLabels(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${
      value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')
        .replaceAll("\n", "\\n")
    }"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function numberOf(text: string | null | undefined): number | null {
  return text == null ? null : Number(text);
}
