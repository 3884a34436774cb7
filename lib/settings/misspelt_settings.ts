import { nearestName } from "../nearest_name.ts";

/** Our settings that `readConfig` does not read. */
const READ_ELSEWHERE = [
  "SOURCE_SECRET_ID",
  "WAREHOUSE_SECRET_ID",
  "ANALYST_SECRET_ID",
  "DASHBOARD_SECRET_ID",
  "ICEBERG_SECRET_ID",
  "METRICS_NAMESPACE",
  "NO_COLOR",
];
/** Names of libpq, the AWS SDK and the system, which are not all read here. */
const OF_OTHERS = /^(AWS_|PG|TMP|TEMP$|HOME|USERPROFILE)/;
/** Common words: names that begin with them may belong to others. */
const COMMON_WORDS = ["TEMP", "NO"];

/**
 * A problem for each name that is not a setting and looks like one: spelt
 * almost like it, or with the same first word.
 */
export function misspeltSettings(
  names: readonly string[],
  read: ReadonlySet<string>,
): string[] {
  const ours = [...read, ...READ_ELSEWHERE]
    .filter((name) => !OF_OTHERS.test(name) || name === "TEMP_DIRECTORY");
  const words = new Set(ours.map(firstWord));
  for (const word of COMMON_WORDS) words.delete(word);
  return names.flatMap((name) => {
    if (ours.includes(name) || OF_OTHERS.test(name)) return [];
    const nearest = nearestName(name, ours);
    if (nearest !== undefined) {
      return [`${name} in .env is not a setting: did you mean ${nearest}?`];
    }
    return words.has(firstWord(name))
      ? [`${name} in .env is not a setting: leave it out`]
      : [];
  });
}

function firstWord(name: string): string {
  return name.toUpperCase().split("_")[0] ?? "";
}
