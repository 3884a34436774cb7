import { isAbsolute } from "node:path";
import { openLog } from "../log.ts";
import { NO_SQL, readProjectSql } from "../project/project_sql.ts";
import { type Config, readConfig } from "../settings/config.ts";
import type { StageContext } from "../stage.ts";
import { stageContext } from "../stage_context.ts";
import type { Command, ProcessIo } from "./command.ts";

const CLEAR_LINE = "\r\x1b[K";

/**
 * A command's context: its settings, its SQL, and a log that writes to the
 * process. Throws a `ConfigError` that names all problems of the settings.
 */
export async function createContext(
  command: Command,
  options: { io: ProcessIo; json: boolean; signal: AbortSignal },
): Promise<StageContext> {
  const { io, json, signal } = options;
  const config = readConfig(io.env, command.needs, {
    names: io.names?.() ?? [],
  });
  if (command.writesNothing === true && !usesSocket(config)) {
    io.stopWriting?.();
  }
  const color = !json && (io.env("NO_COLOR") ?? "") === "";
  let shown = false;
  const show = (line: string) => {
    if (line === "" && !shown) return;
    io.write(CLEAR_LINE + line, "out");
    shown = line !== "";
  };
  const root = await openLog({
    json,
    color,
    write: (line) => {
      if (shown) show("");
      io.write(`${line}\n`, "out");
    },
  });
  return stageContext({
    config,
    sql: command.readsNoSql === true
      ? NO_SQL
      : readProjectSql(config.sqlDirectory),
    log: root.getChild(command.name),
    show: json ? undefined : show,
    signal,
  });
}

/** Whether a server is reached through a Unix socket. */
function usesSocket({ source, warehouse, analyst }: Config): boolean {
  return [source, warehouse, analyst].some((server) =>
    server !== undefined && isAbsolute(server.host)
  );
}
