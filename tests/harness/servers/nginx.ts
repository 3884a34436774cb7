import { join } from "node:path";
import { freePort } from "../../../embedded/free_port.ts";

const READY_TRIES_MAX = 200;
const READY_MS = 25;
const PROGRAMS = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];

/** nginx where it is installed; undefined where it isn't. */
export function findNginx(): string | undefined {
  return PROGRAMS.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** nginx with its defaults, and a server's own lines; it ends with its scope. */
export async function startNginx(
  program: string,
  options: { folder: string; http?: string; server: string },
): Promise<AsyncDisposable & { address: string }> {
  const { folder, http = "", server } = options;
  const port = freePort();
  await Deno.writeTextFile(
    join(folder, "nginx.conf"),
    `daemon off;
pid nginx.pid;
error_log error.log;
${Deno.uid() === 0 ? "user root;" : ""}
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  ${http}
  server {
    listen 127.0.0.1:${port};
    ${server}
  }
}
`,
  );
  const process = new Deno.Command(program, {
    args: ["-p", folder, "-c", "nginx.conf", "-e", "error.log"],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const address = `http://127.0.0.1:${port}`;
  for (let attempt = 1;; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      break;
    } catch (error) {
      if (attempt >= READY_TRIES_MAX) throw error;
      await new Promise((wake) => setTimeout(wake, READY_MS));
    }
  }
  return {
    address,
    [Symbol.asyncDispose]: async () => {
      process.kill("SIGTERM");
      await process.status;
    },
  };
}
