import { withFailureNote } from "../lib/batches/failure_note.ts";
import { runLambda } from "../lib/lambda/serve_lambda.ts";
import { stageMetrics } from "../lib/lambda/stage_metrics.ts";
import { load } from "./load.ts";

/** load as an AWS Lambda function; see docs/deploy.md. */
await runLambda({
  name: "load",
  needs: ["processed", "warehouse"],
  run: (context) => withFailureNote(context, "load", load),
  metrics: stageMetrics,
});
