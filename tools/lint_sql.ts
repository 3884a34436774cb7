import { readdirSync } from "node:fs";
import { lintSql } from "./sql_style.ts";

const ROOTS = [
  "sql",
  "examples",
  "demo",
  "tests",
  "lib",
  "extract",
  "transform",
  "load",
  "verify",
  "operate",
  "init",
];

const USAGE = `./totesys lint:sql

Checks every SQL file against the house style: prints FILE:LINE: MESSAGE for
each fault, and exits with 1 if there are any. Searches
${ROOTS.join(", ")}.`;

function sqlFiles(): string[] {
  const present = new Set(readdirSync("."));
  return ROOTS.filter((root) => present.has(root)).flatMap((root) =>
    readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".sql"))
      .map((path) => `${root}/${path}`)
  ).sort();
}

async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    console.log(USAGE);
    return args.every((arg) => ["--help", "-h"].includes(arg)) ? 0 : 2;
  }
  const files = sqlFiles();
  let count = 0;
  for (const file of files) {
    for (const found of lintSql(file, await Deno.readTextFile(file))) {
      console.log(`${found.file}:${found.line}: ${found.message}`);
      count++;
    }
  }
  console.log(`Checked ${files.length} SQL files, ${count} faults`);
  return count === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
