import { type Browser, chromium } from "playwright-core";

/** The first draws pages alone, for less than half of a browser's work. */
const PROGRAMS = [
  "chromium-headless-shell",
  "chromium",
  "chromium-browser",
  "google-chrome",
];

/** The path of a Chromium of the system's; undefined when there is none. */
export async function findChromium(): Promise<string | undefined> {
  for (const program of PROGRAMS) {
    const found = await new Deno.Command("which", { args: [program] }).output();
    if (found.success) return new TextDecoder().decode(found.stdout).trim();
  }
  return undefined;
}

/** Starts it, without a window. */
export async function openBrowser(executablePath: string): Promise<Browser> {
  return await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}
