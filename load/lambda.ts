import { notingFailure } from "../lib/failure_note.ts";
import { runLambda } from "../lib/lambda.ts";
import { stageMetrics } from "../lib/stage_metrics.ts";
import { load } from "./load.ts";

/** load as an AWS Lambda function; see docs/deploy.md. */
await runLambda({
  name: "load",
  needs: ["processed", "warehouse"],
  run: (context) => notingFailure(context, "load", load),
  metrics: stageMetrics,
});
