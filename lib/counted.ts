const NOUNS =
  /^(batch|(?:byte|check|column|delete|difference|file|finding|key|measure|model|quarantine rule|reference|row|table|time|version)(?=s))(?:es|s)\b( are| were| occur)?/;
const VERBS: Readonly<Record<string, string>> = {
  are: "is",
  were: "was",
  occur: "occurs",
};

/** A number and the words after it, in the plural unless it is 1. */
export function counted(count: number | string, words: string): string {
  return `${count} ${agreeing(count, words)}`;
}

/** Words as they follow a number: a noun in the plural, and its verb. */
export function agreeing(count: number | string, words: string): string {
  return String(count) !== "1"
    ? words
    : words.replace(NOUNS, (_all, noun: string, verb?: string) =>
      verb === undefined ? noun : `${noun} ${VERBS[verb.trim()]}`);
}
