import { redact } from "./settings/redact.ts";

/** The settings or the command line are wrong; it names every problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(
    readonly problems: readonly string[],
    /** What to do about them; about settings, if not given. */
    readonly hint?: string,
  ) {
    super(problems.join("\n"));
  }
}

/** The properties of a `StageError` besides its message. */
export interface StageErrorOptions {
  /** The table, model, file or server the error is about. */
  subject: string;
  /** What to do about it. */
  hint?: string;
  /** Whether the same run may succeed later without anyone's help. */
  retryable?: boolean;
  /** Whether the data broke a rule; if not, the stage itself failed. */
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

/** The exit code for an error that ended a command. */
export function exitCode(error: unknown): number {
  if (error instanceof ConfigError) return EXIT.usage;
  if (error instanceof StageError && error.dataCheck) return EXIT.check;
  return EXIT.failed;
}

/** The most that is shown of a server's DETAIL or HINT. */
const DETAIL_CHARACTERS_MAX = 400;
/** SQLSTATEs of errors whose details show the values of a whole row. */
const ROW_IN_DETAIL_STATES = ["23502", "23514", "44000"];

/** DuckDB shows the whole line of a CSV file that it can't read. */
const ROW_IN_MESSAGE =
  /\nOriginal Line:[^]*?(?=\n(?:Expected|Possible|Error|This |CSV )|$)/;

/**
 * The message of whatever was thrown, without the secrets of URLs. For a
 * database server's error, its details follow, such as the names of the objects
 * that depend on a table.
 */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return redact(String(error));
  const message = error.message.replace(ROW_IN_MESSAGE, "");
  return redact([message, ...serverDetails(error)].join(". "));
}

/**
 * The DETAIL and the HINT of a server's error; see "Error and Notice Message
 * Fields" in PostgreSQL's manual. Values of rows are left out, and so is the
 * advice to drop dependent objects.
 */
function serverDetails(error: Error): string[] {
  if (!("severity" in error && "code" in error)) return [];
  const { code, detail, hint } = error as {
    code?: unknown;
    detail?: unknown;
    hint?: unknown;
  };
  const details = ROW_IN_DETAIL_STATES.includes(String(code)) ? [] : [detail];
  const hints = /\bCASCADE\b/.test(String(hint)) ? [] : [hint];
  return [...details, ...hints]
    .filter((text) => typeof text === "string" && text !== "")
    .map((text) => oneLine(String(text)));
}

function oneLine(text: string): string {
  const line = text.trim().replaceAll(/\s*\n\s*/g, "; ").replace(/\.$/, "");
  return line.length > DETAIL_CHARACTERS_MAX
    ? `${line.slice(0, DETAIL_CHARACTERS_MAX)}…`
    : line;
}

/**
 * Whether a server or a library threw it: not one of ours, nor an abort, nor
 * Deno for a permission that the process lacks, which it will not have later.
 */
export function isForeign(error: unknown): error is Error {
  return error instanceof Error && error.name !== "AbortError" &&
    !(error instanceof StageError) && !(error instanceof ConfigError) &&
    !(error instanceof Deno.errors.NotCapable);
}
