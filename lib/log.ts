import {
  configure,
  getLogger,
  type Logger,
  type LogRecord,
} from "@logtape/logtape";
import { agreeing } from "./counted.ts";
import { redact } from "./settings/redact.ts";

/** How events are written. */
export interface LogOptions {
  /** One JSON object a line; if false, lines for people. */
  json: boolean;
  color: boolean;
  /** Takes one finished line. */
  write: (line: string) => void;
}

const COLORS: Record<string, string> = {
  warning: "\x1b[33m",
  error: "\x1b[31m",
  fatal: "\x1b[31m",
};
const DIM = "\x1b[2m";
const RESET = "\x1b[0m";

/** Sets up logging for the process and returns its logger. */
export async function openLog(options: LogOptions): Promise<Logger> {
  const format = options.json
    ? jsonLine
    : (record: LogRecord) => textLine(record, options.color);
  await configure({
    reset: true,
    sinks: { out: (record) => options.write(format(record)) },
    loggers: [
      { category: "totesys", lowestLevel: "info", sinks: ["out"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["out"] },
    ],
  });
  return getLogger("totesys");
}

/**
 * An event as one JSON object: time, level, stage, message, its fields. Each
 * text is redacted separately, so that none is mistaken for part of another.
 */
function jsonLine(record: LogRecord): string {
  return JSON.stringify(
    {
      time: new Date(record.timestamp).toISOString(),
      level: record.level,
      stage: stageOf(record),
      message: messageOfRecord(record),
      ...record.properties,
    },
    (_name, value) => typeof value === "string" ? redact(value) : value,
  );
}

/** An event as a line for people: time, stage, message. */
function textLine(record: LogRecord, color: boolean): string {
  const time = new Date(record.timestamp).toTimeString().slice(0, 8);
  const stage = stageOf(record).padEnd(9);
  const message = messageOfRecord(record);
  const level = record.level === "info" ? "" : `${record.level}: `;
  if (!color) return `${time} ${stage} ${level}${message}`;
  const paint = COLORS[record.level] ?? "";
  return `${DIM}${time}${RESET} ${stage} ${paint}${level}${message}${
    paint === "" ? "" : RESET
  }`;
}

/** The stage that reports the event, or the command that runs the stages. */
function stageOf(record: LogRecord): string {
  return record.category.at(-1) ?? "";
}

function messageOfRecord(record: LogRecord): string {
  return redact(
    record.message.map((part, index, parts) => {
      // Values and the texts between them take turns.
      const text = String(part);
      return index % 2 === 1 || !text.startsWith(" ")
        ? text
        : ` ${agreeing(String(parts[index - 1]), text.slice(1))}`;
    }).join(""),
  );
}
