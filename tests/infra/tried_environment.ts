/** What the names in the environment of the trial begin with. */
export const NAME = "totesys-testing";
/** The account that moto plays. */
export const ACCOUNT = "123456789012";
/** The region of all but the replica. */
export const REGION = "eu-west-2";
/** Glue's database of the lake's tables. */
export const LAKE_DATABASE = "totesys_testing_lake";

/** The name of a bucket. */
export function bucket(name: string): string {
  return `${NAME}-${name}-${ACCOUNT}`;
}
