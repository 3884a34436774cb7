import {
  type APIGatewayProxyResult,
  handle,
  type LambdaEvent,
} from "hono/aws-lambda";
import { ConfigError } from "../lib/errors.ts";
import { runLambda } from "../lib/lambda/serve_lambda.ts";
import type { StageContext } from "../lib/stage.ts";
import { createServer } from "./server.ts";
import { hiddenZones } from "./live/stage_states.ts";
import { STATEMENT_TIMEOUT_MS, Warehouse } from "./warehouse.ts";

type Handler = (event: LambdaEvent) => Promise<APIGatewayProxyResult>;

/** A function is one of many, and keeps its connection while it is frozen. */
const QUERIES_AT_ONCE = 1;

/** The server, and the login that it was made for. */
let served:
  | { login: string; handler: Handler; warehouse: Warehouse }
  | undefined;

/**
 * The dashboard as an AWS Lambda function with a URL; see docs/deploy.md. Its
 * answers can't stream, so pages poll for the newest batch every few seconds.
 */
await runLambda({
  name: "dashboard",
  needs: ["analyst"],
  run: async (context, event) => {
    const handler = await handlerOf(context);
    if (isUrlEvent(event)) return await handler(event);
    // A direct invocation is not a failure of the dashboard.
    return { statusCode: 400, body: "Bad request: use the function URL." };
  },
  metrics: () => [],
});

function isUrlEvent(event: unknown): event is LambdaEvent {
  return typeof event === "object" && event !== null &&
    "rawPath" in event && "requestContext" in event;
}

async function handlerOf(
  { config, resources, sql, log, clock }: StageContext,
): Promise<Handler> {
  const { analyst, dashboard: { token }, freshnessMinutesMax } = config;
  if (analyst === undefined) throw new ConfigError(["ANALYST_URL is missing"]);
  if (token === undefined) {
    throw new ConfigError([
      "DASHBOARD_TOKEN is missing: anyone who knows the URL could read everything",
    ]);
  }
  // The secrets may have been read again, and have changed.
  const login = JSON.stringify([analyst, token]);
  if (served?.login !== login) {
    await served?.warehouse[Symbol.asyncDispose]();
    const warehouse = new Warehouse(
      analyst,
      resources.connect,
      STATEMENT_TIMEOUT_MS,
      QUERIES_AT_ONCE,
    );
    const app = createServer({
      sql,
      warehouse,
      live: undefined,
      // The function may only query the warehouse.
      readZones: hiddenZones,
      log,
      freshnessMinutesMax,
      token,
      // The URL itself says who asks.
      proxies: 0,
      clock,
    });
    served = { login, handler: handle(app), warehouse };
  }
  return served.handler;
}
