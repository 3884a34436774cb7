/** What the names in the environment of the trial begin with. */
export const NAME = "totesys-testing";
/** The account that moto plays. */
export const ACCOUNT = "123456789012";

/** The name of a bucket. */
export function bucket(name: string): string {
  return `${NAME}-${name}-${ACCOUNT}`;
}
