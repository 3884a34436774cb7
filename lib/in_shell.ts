/** A word of a command as a shell reads it: in quotes if it needs them. */
export function inShell(word: string): string {
  return /^[\w.,/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
