import { withFailureNote } from "../lib/batches/failure_note.ts";
import { runLambda } from "../lib/lambda/serve_lambda.ts";
import { stageMetrics } from "../lib/lambda/stage_metrics.ts";
import { transform } from "./transform.ts";

/** transform as an AWS Lambda function; see docs/deploy.md. */
await runLambda({
  name: "transform",
  needs: ["ingestion", "processed"],
  run: (context) => withFailureNote(context, "transform", transform),
  metrics: stageMetrics,
});
