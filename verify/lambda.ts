import { runLambda } from "../lib/lambda/serve_lambda.ts";
import { verify } from "./verify.ts";

/** verify as an AWS Lambda function; see docs/deploy.md. */
await runLambda({
  name: "verify",
  needs: ["source", "ingestion", "processed", "warehouse"],
  run: (context) => verify(context),
  metrics: ({ same, comparisons, brokenRules }) => [
    {
      name: "Differences",
      unit: "Count",
      value: same
        ? 0
        : comparisons.reduce((sum, one) => sum + one.differences, 0) +
          brokenRules.length,
    },
  ],
});
