/** The records of a CSV, without its header; quoted newlines are in them. */
export function csvRecords(text: string): string[] {
  const records: string[] = [];
  let record = "";
  for (const line of text.split("\n")) {
    record += record === "" ? line : `\n${line}`;
    const quotes = record.split('"').length - 1;
    if (quotes % 2 === 1) continue;
    if (record !== "") records.push(record);
    record = "";
  }
  return records.slice(1);
}
