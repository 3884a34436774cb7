import { fileURLToPath } from "node:url";

/**
 * The project's folder: the one above this file's or, in a package, above the
 * function's `<name>/lambda.js`.
 */
export function projectDirectory(): string {
  return fileURLToPath(new URL("..", import.meta.url));
}
