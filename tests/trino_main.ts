/**
 * `deno task test:trino`: transform on a real Trino, whose nodes are killed
 * meanwhile. It needs a JDK of version 24 or later and 4 GB of memory, and fetches
 * the server once. Arguments go to the tests.
 */
import { fileURLToPath } from "node:url";
import { findTrino } from "./harness/trino_server.ts";

const { server, javaHome } = await findTrino();
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", "tests/main.ts", "tests/trino", ...Deno.args],
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  env: { TEST_TRINO_SERVER: server, TEST_TRINO_JAVA: javaHome },
}).spawn().status;
Deno.exit(code);
