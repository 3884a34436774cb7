/** A number about a run, with its unit as CloudWatch names it. */
export interface Metric {
  name: string;
  unit: "Count" | "Bytes" | "Milliseconds" | "Seconds";
  value: number;
}

/**
 * A line in CloudWatch's embedded metric format, which CloudWatch turns into
 * metrics of that namespace with the one dimension `Stage`:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function metricsLine(
  metrics: readonly Metric[],
  options: { namespace: string; stage: string; requestId: string; now: Date },
): string {
  const { namespace, stage, requestId, now } = options;
  return JSON.stringify({
    _aws: {
      Timestamp: now.getTime(),
      CloudWatchMetrics: [{
        Namespace: namespace,
        Dimensions: [["Stage"]],
        Metrics: metrics.map(({ name, unit }) => ({ Name: name, Unit: unit })),
      }],
    },
    Stage: stage,
    requestId,
    ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
  });
}
