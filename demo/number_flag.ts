import type { Flags } from "../lib/cli/command.ts";
import { ConfigError } from "../lib/errors.ts";

/** A flag that takes a number above zero. */
export interface NumberFlag {
  name: string;
  fallback: number;
  max: number;
  whole?: boolean;
}

/** Reads a flag's number; throws a `ConfigError` if it isn't one in range. */
export function numberFlag(flags: Flags, flag: NumberFlag): number {
  const { name, fallback, max, whole = false } = flag;
  const text = String(flags[name] ?? fallback);
  const value = Number(text);
  const isNumber = whole ? Number.isInteger(value) : Number.isFinite(value);
  if (isNumber && value > 0 && value <= max) return value;
  throw new ConfigError([
    `--${name} is "${text}": a ${
      whole ? "whole " : ""
    }number above 0, up to ${max}, is expected`,
  ]);
}
