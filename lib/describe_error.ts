import { ConfigError, exitCode, messageOf, StageError } from "./errors.ts";

/** Formats an error for people, or as one line of JSON. */
export function describeError(
  error: unknown,
  options: { command: string; json: boolean },
): string {
  const message = messageOf(error);
  const hint = error instanceof StageError
    ? error.hint
    : error instanceof ConfigError
    ? error.hint ??
      "docs/settings.md lists every setting; .env.example shows them"
    : undefined;
  if (options.json) {
    const stage = error instanceof StageError
      ? { subject: error.subject, retryable: error.retryable }
      : {};
    return `${
      JSON.stringify({
        time: new Date().toISOString(),
        level: "fatal",
        stage: options.command,
        message,
        hint,
        ...stage,
        exitCode: exitCode(error),
      })
    }\n`;
  }
  return `${message}\n${hint === undefined ? "" : `-> ${hint}\n`}`;
}
