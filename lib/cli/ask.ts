/** Asks for a line on the terminal; the fallback if it is left empty. */
export function ask(question: string, fallback = ""): string {
  const answer = prompt(
    fallback === "" ? question : `${question} [${fallback}]`,
  );
  return (answer ?? "").trim() || fallback;
}

const [CTRL_C, CTRL_D, BACKSPACE, DELETE] = [3, 4, 8, 127];
const [NEWLINE, RETURN] = [10, 13];

/** Asks for a secret, which the terminal does not show. */
export function askSecret(question: string): string {
  Deno.stdout.writeSync(new TextEncoder().encode(`${question} `));
  Deno.stdin.setRaw(true);
  const bytes: number[] = [];
  try {
    const [byte] = [new Uint8Array(1)];
    while (Deno.stdin.readSync(byte) === 1) {
      const [value = RETURN] = byte;
      if (value === CTRL_C) throw new Error("Stopped as asked");
      if ([NEWLINE, RETURN, CTRL_D].includes(value)) break;
      if ([BACKSPACE, DELETE].includes(value)) bytes.pop();
      else bytes.push(value);
    }
  } finally {
    Deno.stdin.setRaw(false);
    console.log();
  }
  return new TextDecoder().decode(new Uint8Array(bytes)).trim();
}
