import { ConfigError } from "../../lib/errors.ts";

/** What the AWS CLI answered. */
export interface AwsAnswer {
  /** Its output; empty if it failed. */
  text: string;
  /** Its message if it failed. */
  error: string | undefined;
}

/**
 * Runs a command of the AWS CLI. What the command must not show, such as a
 * secret, is its input. Throws a `ConfigError` if there is no AWS CLI.
 */
export async function askAws(
  args: readonly string[],
  input = "",
): Promise<AwsAnswer> {
  const command = new Deno.Command("aws", {
    args: [...args, "--output", "json"],
    env: { AWS_PAGER: "" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const process = start(command);
  const writer = process.stdin.getWriter();
  // A command that needs no input may be gone before it has read any.
  await writer.write(new TextEncoder().encode(input))
    .then(() => writer.close()).catch(() => {});
  const { success, stdout, stderr } = await process.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return success
    ? { text: decode(stdout), error: undefined }
    : { text: "", error: decode(stderr) || "the AWS CLI failed" };
}

/** Runs a command of the AWS CLI, and throws if it fails; gives its output. */
export async function aws(
  args: readonly string[],
  input = "",
): Promise<string> {
  const { text, error } = await askAws(args, input);
  if (error === undefined) return text;
  throw new Error(`aws ${args.slice(0, 2).join(" ")} failed: ${error}`);
}

function start(command: Deno.Command): Deno.ChildProcess {
  try {
    return command.spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ConfigError([
      "There is no AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    ]);
  }
}
