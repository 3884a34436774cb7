import { notingFailure } from "../lib/failure_note.ts";
import { runLambda } from "../lib/lambda.ts";
import { stageMetrics } from "../lib/stage_metrics.ts";
import { transform } from "./transform.ts";

/** transform as an AWS Lambda function; see docs/deploy.md. */
await runLambda({
  name: "transform",
  needs: ["ingestion", "processed"],
  run: (context) => notingFailure(context, "transform", transform),
  metrics: stageMetrics,
});
