import { StageError } from "../../lib/errors.ts";
import { askAws, aws } from "./aws_cli.ts";
import { type Options, say } from "./options.ts";
import type { Backend } from "./write_settings.ts";

/** The bucket of Terraform's state, where old versions stay. */
export async function makeStateBucket(
  { bucket, region }: Backend,
  account: string,
): Promise<void> {
  say(3, `Keep Terraform's state in s3://${bucket}, with its old versions`);
  const inRegion = ["--bucket", bucket, "--region", region];
  const own = [...inRegion, "--expected-bucket-owner", account];
  const { error } = await askAws(["s3api", "head-bucket", ...own]);
  if (error?.includes("404")) {
    console.log(`aws s3api create-bucket --bucket ${bucket}`);
    await aws([
      ...["s3api", "create-bucket", ...inRegion],
      // The only region that must not be named.
      ...(region === "us-east-1" ? [] : [
        "--create-bucket-configuration",
        `LocationConstraint=${region}`,
      ]),
    ]);
  } else if (error !== undefined) {
    throw new StageError(`Cannot use s3://${bucket}: ${error}`, {
      subject: bucket,
      hint:
        "It may be another account's: name another bucket in the .tfbackend",
    });
  }
  await aws([
    ...["s3api", "put-bucket-versioning", ...own],
    ...["--versioning-configuration", "Status=Enabled"],
  ]);
}

/** A run that was killed leaves its lock on the state. */
export async function checkLock(
  { bucket, key, region }: Backend,
  { unlock }: Options,
): Promise<void> {
  const lock = `s3://${bucket}/${key}.tflock`;
  const inRegion = ["--region", region];
  const { text, error } = await askAws(["s3", "cp", ...inRegion, lock, "-"]);
  if (error !== undefined) return;
  const { Who, Created, Operation } = JSON.parse(text);
  const by = `${Who} since ${Created} (${Operation})`;
  if (!unlock) {
    throw new StageError(`Terraform's state is locked by ${by}`, {
      subject: lock,
      hint: "Wait for that run; if it was killed, add --unlock",
    });
  }
  console.log(`Remove the lock of ${by}: aws s3 rm ${lock}`);
  await aws(["s3", "rm", ...inRegion, lock]);
}
