/** Removes the password, up to the last `@`, from every URL in a text. */
export function redact(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+]*:\/\/[^\s:@/]*):\S*@/gi, "$1:***@")
    .replace(/([?&](?:ssl)?password=)[^&\s"']*/gi, "$1***");
}
