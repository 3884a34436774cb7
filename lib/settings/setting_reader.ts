import { decimal } from "./connection_url.ts";

/** Reads a variable of the environment. */
export type Environment = (name: string) => string | undefined;

/** The numbers that a setting may have. */
export interface NumberRange {
  from: number;
  to: number;
  /** Whether it must be a whole number. */
  whole?: boolean;
}

/** Reads settings one by one, and collects their problems. */
export class SettingReader {
  /** A line for each setting that can't be used. */
  readonly problems: string[] = [];
  /** The names of all settings that were read. */
  readonly asked: Set<string> = new Set();

  constructor(private readonly env: Environment) {}

  /** Reads a setting, trimmed; undefined if it is empty. */
  readonly read = (name: string): string | undefined => {
    this.asked.add(name);
    return this.env(name)?.trim() || undefined;
  };

  /** Reads a number; one out of range adds a problem and gives the fallback. */
  readonly number = (
    name: string,
    fallback: number,
    range: NumberRange,
  ): number => {
    const text = this.read(name) ?? String(fallback);
    const value = decimal(text);
    const inRange = value >= range.from && value <= range.to;
    if (inRange && !(range.whole && !Number.isInteger(value))) return value;
    this.problems.push(
      `${name} is "${text}": a ${
        range.whole ? "whole " : ""
      }number from ${range.from} to ${range.to} is expected`,
    );
    return fallback;
  };
}
