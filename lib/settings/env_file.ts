import { join } from "node:path";
import { ConfigError } from "../errors.ts";
import { platformDirectory } from "../platform_directory.ts";
import { utf8Text } from "../utf8_text.ts";
import type { Environment } from "./setting_reader.ts";

const BYTE_ORDER_MARK = "\ufeff";

/**
 * The names that have a value in `.env`; none if there is no such file. Throws
 * a `ConfigError` if its settings are read as others than were written.
 */
export function namesInEnvFile(
  env: Environment,
  path: string = join(platformDirectory(), ".env"),
): string[] {
  const text = readEnvFile(path);
  const settings = [
    ...text.matchAll(/^[ \t]*(?:export\s+)?([A-Za-z_]\w*)[ \t]*=(.*)$/gm),
  ].map(([, name = "", value = ""]) => ({ name, value: value.trim() }));
  const problems = settings.flatMap(({ name, value }) => {
    const read = env(name)?.trim();
    const [, rest, comment] = /^([^'"`\s#]+)(#.*)$/.exec(value) ?? [];
    if (comment !== undefined && read === rest) {
      return [
        `${name} in .env ends before a #, since that begins a comment: put the whole value into single quotes if the # belongs to it, and write %23 in a URL`,
      ];
    }
    const lost = lostReferences(value);
    return lost === undefined || read !== lost.rest ? [] : [
      `${name} in .env refers to ${lost.references}, which has no value: put the whole value into single quotes if the $ belongs to it`,
    ];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return settings.map(({ name }) => name);
}

function readEnvFile(path: string): string {
  try {
    const text = utf8Text(Deno.readFileSync(path));
    if (!text.startsWith(BYTE_ORDER_MARK)) return text;
    if (/^\ufeff[ \t]*(#|\r?\n|$)/.test(text)) return text.slice(1);
    throw new TypeError(
      "UTF-8 with a byte order mark, with which its first line is ignored",
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    if (!(error instanceof TypeError)) throw error;
    throw new ConfigError([
      `.env is ${error.message}: save it as UTF-8 without a byte order mark`,
    ]);
  }
}

/** What is left of a value of `.env` whose references have no values. */
function lostReferences(
  value: string,
): { rest: string; references: string } | undefined {
  if (value.startsWith("'")) return undefined;
  const plain = value.replace(/^"(.*)"$/, "$1");
  const references = plain.match(/(?<!\\)\$(\w+|\{\w+\})/g);
  if (references === null) return undefined;
  return {
    rest: plain.replaceAll(/(?<!\\)\$(\w+|\{\w+\})/g, "").trim(),
    references: references.join(" and "),
  };
}
