import assert from "node:assert/strict";
import { ConfigError } from "../../../lib/errors.ts";
import { type Need, readConfig } from "../../../lib/settings/config.ts";

/** What a command may need. */
export const ALL: readonly Need[] = [
  "source",
  "warehouse",
  "ingestion",
  "processed",
];

/** A password that no message may show. */
export const SECRET = "s3cr3t";

/** The settings of these variables. */
export function read(
  variables: Record<string, string>,
  needs: readonly Need[],
) {
  return readConfig((name) => variables[name], needs);
}

/** The problems that these variables have. */
export function problemsOf(
  variables: Record<string, string>,
  needs: readonly Need[],
): readonly string[] {
  const error = errorOf(variables, needs);
  assert.ok(error instanceof ConfigError);
  assert.equal(error.message, error.problems.join("\n"));
  return error.problems;
}

/** The error of these variables. */
export function errorOf(
  variables: Record<string, string>,
  needs: readonly Need[],
) {
  try {
    read(variables, needs);
  } catch (error) {
    return error;
  }
}
