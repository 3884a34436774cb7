/** The settings or the command line are wrong; names every problem at once. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

/** What a `StageError` carries besides its message. */
export interface StageErrorOptions {
  /** The table, model, file or server the error is about. */
  subject: string;
  /** What the person who reads it should do. */
  hint?: string;
  /** Whether the same run may work later without anybody's doing. */
  retryable?: boolean;
  /** Whether the data broke a rule, as opposed to a stage that failed. */
  dataCheck?: boolean;
  /** Whether a server refused the user or the password. */
  loginRefused?: boolean;
  cause?: unknown;
}

/** A stage could not do its work; nothing was committed. */
export class StageError extends Error {
  override readonly name = "StageError";
  readonly subject: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly dataCheck: boolean;
  readonly loginRefused: boolean;

  constructor(message: string, options: StageErrorOptions) {
    super(message, { cause: options.cause });
    this.subject = options.subject;
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
    this.dataCheck = options.dataCheck ?? false;
    this.loginRefused = options.loginRefused ?? false;
  }
}

/** Exit codes of every command. */
export const EXIT = { ok: 0, failed: 1, usage: 2, check: 3 } as const;

/** The exit code that tells a caller what kind of error ended a command. */
export function exitCode(error: unknown): number {
  if (error instanceof ConfigError) return EXIT.usage;
  if (error instanceof StageError && error.dataCheck) return EXIT.check;
  return EXIT.failed;
}

/** The message of whatever was thrown, with secrets of URLs taken out. */
export function messageOf(error: unknown): string {
  return redact(error instanceof Error ? error.message : String(error));
}

/** Takes the passwords out of every URL in a text, up to its last `@`. */
export function redact(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+]*:\/\/[^\s:@/]*):\S*@/gi, "$1:***@")
    .replace(/([?&](?:ssl)?password=)[^&\s"']*/gi, "$1***");
}

/** Whether a server or a library threw it: none of ours, and no abort. */
export function isForeign(error: unknown): error is Error {
  return error instanceof Error && error.name !== "AbortError" &&
    !(error instanceof StageError) && !(error instanceof ConfigError);
}
