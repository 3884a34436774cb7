import {
  type APIGatewayProxyResult,
  handle,
  type LambdaEvent,
} from "hono/aws-lambda";
import { ConfigError } from "../lib/errors.ts";
import { runLambda } from "../lib/lambda/lambda.ts";
import type { StageContext } from "../lib/stage.ts";
import { createServer } from "./server.ts";
import { Warehouse } from "./warehouse.ts";

type Handler = (event: LambdaEvent) => Promise<APIGatewayProxyResult>;

/** The server, and what it was made for. */
let served:
  | { login: string; handler: Handler; warehouse: Warehouse }
  | undefined;

/**
 * The dashboard as an AWS Lambda function behind a URL; see docs/deploy.md. Its
 * answers don't stream, so pages ask for the newest batch every few seconds.
 */
await runLambda({
  name: "dashboard",
  needs: ["analyst"],
  run: async (context, event) => {
    const handler = await handlerOf(context);
    if (isUrlEvent(event)) return await handler(event);
    // Who has not come by the URL: no failure of the dashboard's.
    return { statusCode: 400, body: "Ask by the URL." };
  },
  metrics: () => [],
});

function isUrlEvent(event: unknown): event is LambdaEvent {
  return typeof event === "object" && event !== null &&
    "rawPath" in event && "requestContext" in event;
}

async function handlerOf(
  { config, resources, log }: StageContext,
): Promise<Handler> {
  const { analyst, dashboard: { token } } = config;
  if (analyst === undefined) throw new ConfigError(["ANALYST_URL is missing"]);
  if (token === undefined) {
    throw new ConfigError([
      "DASHBOARD_TOKEN is missing: whoever knows the URL could read everything",
    ]);
  }
  // Secrets that were read again may have changed.
  const login = JSON.stringify([analyst, token]);
  if (served?.login !== login) {
    await served?.warehouse[Symbol.asyncDispose]();
    const warehouse = new Warehouse(analyst, resources.connect);
    const app = createServer({ warehouse, live: undefined, log, token });
    served = { login, handler: handle(app), warehouse };
  }
  return served.handler;
}
