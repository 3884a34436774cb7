import { fileURLToPath } from "node:url";

/**
 * The platform's folder: the one above this file's or, in a package, above the
 * function's `<name>/lambda.js`.
 */
export function platformDirectory(): string {
  return fileURLToPath(new URL("..", import.meta.url));
}
