import { withFailureNote } from "../lib/batches/failure_note.ts";
import { runLambda } from "../lib/lambda/serve_lambda.ts";
import { stageMetrics } from "../lib/lambda/stage_metrics.ts";
import { extract } from "./extract.ts";

/** extract as an AWS Lambda function; see docs/deploy.md. */
await runLambda({
  name: "extract",
  needs: ["source", "ingestion"],
  run: (context) => withFailureNote(context, "extract", extract),
  metrics: stageMetrics,
});
