import { fileURLToPath } from "node:url";

/**
 * The folder that holds the project: the one above this file's, and above a
 * packaged function's, `<name>/lambda.js`.
 */
export function projectDirectory(): string {
  return fileURLToPath(new URL("..", import.meta.url));
}
