import { runLambda } from "../lib/lambda/serve_lambda.ts";
import { sweep } from "./sweep.ts";

/**
 * sweep of the processed zone as an AWS Lambda function; see docs/deploy.md. No
 * function removes anything from the ingestion zone.
 */
await runLambda({
  name: "sweep",
  needs: ["processed"],
  run: (context) => sweep(context, { zone: "processed" }),
  metrics: ({ filesRemoved, bytesRemoved, foreignFiles }) => [
    { name: "FilesRemoved", unit: "Count", value: filesRemoved },
    { name: "BytesRemoved", unit: "Bytes", value: bytesRemoved },
    { name: "ForeignFiles", unit: "Count", value: foreignFiles },
  ],
});
