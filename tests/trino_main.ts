/**
 * `deno task test:trino`: transform on a real Trino with two workers, whose nodes
 * are killed meanwhile, with zones in directories and on versitygw, as `test:s3`
 * starts it; and Trino as a reader of the lake. It needs a JDK of version 24 or
 * later and 6 GB of memory, and fetches the server once. Arguments go to the
 * tests.
 */
import { fileURLToPath } from "node:url";
import { findTrino } from "../embedded/trino_server.ts";

const { server, javaHome } = await findTrino();
const deno = [Deno.execPath(), "run", "-A"];
const tests = [...deno, "tests/main.ts", "tests/trino", ...Deno.args];
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", "tests/s3_main.ts", ...tests],
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  env: {
    TEST_TRINO_SERVER: server,
    TEST_TRINO_JAVA: javaHome,
    // Each file has a cluster of its own.
    DENO_JOBS: "1",
  },
}).spawn().status;
Deno.exit(code);
