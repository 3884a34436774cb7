import { notingFailure } from "../lib/failure_note.ts";
import { runLambda } from "../lib/lambda.ts";
import { stageMetrics } from "../lib/stage_metrics.ts";
import { extract } from "./extract.ts";

/** extract as an AWS Lambda function; see docs/deploy.md. */
await runLambda({
  name: "extract",
  needs: ["source", "ingestion"],
  run: (context) => notingFailure(context, "extract", extract),
  metrics: stageMetrics,
});
