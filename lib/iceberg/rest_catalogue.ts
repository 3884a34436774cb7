import { messageOf, StageError } from "../errors.ts";
import type { RestLogin, RestSettings } from "../settings/iceberg_settings.ts";
import {
  folderOf,
  isAsFar,
  isSameTable,
  type NamedTable,
  type ShownMetadata,
  type TableCatalogue,
} from "./table_catalogue.ts";
import { BUSY_STATUSES, retry } from "../retry.ts";

/** What it answered, if that was no success. */
class Refusal extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** Another run named the table first, or dropped it. */
const ATTEMPTS_MAX = 5;
const ANSWER_MS_MAX = 30_000;
/** How often a server that is busy or silent is asked again. */
const TRIES_MAX = 4;
const RETRY_MS = 500;
const CONFLICT = 409;
const UNSUPPORTED = 406;
/** What separates a namespace's levels in an address. */
const LEVELS = "\x1f";

/**
 * A namespace of a catalogue that speaks Iceberg's REST protocol
 * (https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml),
 * such as Polaris or Lakekeeper. Tables are registered by their metadata in the
 * zone, and again with `overwrite` (in the protocol since Iceberg 1.11) for each
 * later version, so that the catalogue writes nothing there. It can't compare as
 * it replaces: who shows a version makes sure that no later one is there.
 */
export class RestCatalogue implements TableCatalogue {
  readonly #settings: RestSettings;
  readonly #signal: AbortSignal;
  #token: Promise<string | undefined> | undefined;
  #base: Promise<string> | undefined;

  constructor(settings: RestSettings, options: { signal: AbortSignal }) {
    this.#settings = settings;
    this.#signal = options.signal;
  }

  get id(): string {
    const { url, warehouse = "", namespace } = this.#settings;
    return `rest ${url} ${warehouse} ${namespace.join(".")}`;
  }

  async show(name: string, shown: ShownMetadata): Promise<void> {
    try {
      await retry(() => this.#tryShow(name.toLowerCase(), shown), {
        attemptsMax: ATTEMPTS_MAX,
        isRetryable: (error) => isRefusal(error, CONFLICT),
      });
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof StageError) throw error;
      if (isRefusal(error, CONFLICT)) throw cannotReplace(name, error);
      throw new StageError(
        `Cannot show the Iceberg table "${name}" in the catalogue at ${this.#settings.url}: ${
          messageOf(error)
        }`,
        {
          subject: name,
          retryable: true,
          hint:
            'The next run tries again; "Iceberg tables" in docs/querying.md has what it needs',
          cause: error,
        },
      );
    }
  }

  close(): void {}

  async #tryShow(name: string, shown: ShownMetadata): Promise<void> {
    const found = await this.#find(name);
    if (found !== undefined) {
      this.#checkOwn(name, found, shown);
      if (isAsFar(found, shown)) return;
    }
    try {
      await this.#ask("POST", `${await this.#place()}/register`, {
        name,
        "metadata-location": shown.uri,
        ...found === undefined ? {} : { overwrite: true },
      });
    } catch (error) {
      const cannot = found !== undefined && isRefusal(error, UNSUPPORTED);
      throw cannot ? cannotReplace(name, error) : error;
    }
  }

  /** Throws a `StageError` if a table of this name belongs to somebody else. */
  #checkOwn(name: string, found: NamedTable, shown: ShownMetadata): void {
    if (isSameTable(found, shown)) return;
    const folder = folderOf(found.location);
    throw new StageError(
      `Cannot show the Iceberg table "${name}" in the catalogue at ${this.#settings.url}: a table of this name is there already, at ${folder}`,
      {
        subject: name,
        hint:
          "Drop that one if nobody needs it, or name another namespace in ICEBERG_DATABASE: each lake has its own",
      },
    );
  }

  async #find(name: string): Promise<NamedTable | undefined> {
    const place = await this.#place();
    try {
      const found = await this.#ask(
        "GET",
        // Not those that are no branch's.
        `${place}/tables/${encodeURIComponent(name)}?snapshots=refs`,
      ) as {
        "metadata-location": string;
        metadata: { "table-uuid": string };
      };
      return {
        location: found["metadata-location"],
        uuid: found.metadata["table-uuid"],
      };
    } catch (error) {
      if (!isRefusal(error, 404)) throw error;
      // So that a namespace that is missing is not taken for a table.
      await this.#ask("GET", place);
      return undefined;
    }
  }

  /** Where the namespace is, below the prefix that the server asks for. */
  #place(): Promise<string> {
    const { url, warehouse, namespace } = this.#settings;
    this.#base ??= this.#ask(
      "GET",
      `${url}/v1/config${
        warehouse === undefined
          ? ""
          : `?warehouse=${encodeURIComponent(warehouse)}`
      }`,
    ).then((config) => {
      const { overrides, defaults } = config as Record<
        string,
        Record<string, string> | undefined
      >;
      const prefix = overrides?.prefix ?? defaults?.prefix;
      return [
        ...[url, "v1", ...prefix === undefined ? [] : [prefix], "namespaces"],
        encodeURIComponent(namespace.join(LEVELS)),
      ].join("/");
    });
    return this.#base;
  }

  /** One request; a server that is busy or silent is asked again. */
  async #ask(method: string, url: string, body?: object): Promise<unknown> {
    return await retry(() => this.#askOnce(method, url, body), {
      attemptsMax: TRIES_MAX,
      backoffMs: RETRY_MS,
      isRetryable: (error) => {
        this.#signal.throwIfAborted();
        return !(error instanceof Refusal) ||
          BUSY_STATUSES.includes(error.status);
      },
    });
  }

  async #askOnce(method: string, url: string, body?: object): Promise<unknown> {
    this.#token ??= tokenOf(this.#settings.login, this.#signal).catch(
      (error) => {
        this.#token = undefined;
        throw error;
      },
    );
    const token = await this.#token;
    return await request(url, {
      method,
      ...body === undefined ? {} : { body: JSON.stringify(body) },
      headers: {
        "content-type": "application/json",
        ...token === undefined ? {} : { authorization: `Bearer ${token}` },
      },
      signal: this.#signal,
    });
  }
}

/** A token for the whole run, which takes less time than any is valid for. */
async function tokenOf(
  login: RestLogin | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (login === undefined) return undefined;
  if ("token" in login) return login.token;
  const { clientId, clientSecret, tokenUrl, scope } = login;
  const answer = await request(tokenUrl, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: clientSecret,
      scope,
    }),
    signal,
  });
  const { access_token } = answer as { access_token?: string };
  if (access_token !== undefined) return access_token;
  throw new Error(`${tokenUrl} gave no token`);
}

/** The answer to a request, as JSON; throws a `Refusal` if it is an error. */
async function request(
  url: string,
  options: RequestInit & { signal: AbortSignal },
): Promise<unknown> {
  const response = await fetch(url, {
    ...options,
    redirect: "error",
    signal: AbortSignal.any([
      options.signal,
      AbortSignal.timeout(ANSWER_MS_MAX),
    ]),
  });
  const text = await response.text();
  if (response.ok) return text === "" ? {} : JSON.parse(text);
  throw new Refusal(
    response.status,
    `HTTP ${response.status}${reasonOf(text)}`,
  );
}

/** What the server says, in the protocol's form or OAuth's. */
function reasonOf(text: string): string {
  try {
    const { error, error_description } = JSON.parse(text);
    const reason = error_description ?? error?.message ?? error;
    return typeof reason === "string" ? ` (${reason})` : "";
  } catch {
    return "";
  }
}

function isRefusal(error: unknown, status: number): boolean {
  return error instanceof Refusal && error.status === status;
}

function cannotReplace(name: string, cause: unknown): StageError {
  return new StageError(
    `Cannot show the Iceberg table "${name}" in the catalogue: it does not replace a table that is registered (${
      messageOf(cause)
    })`,
    {
      subject: name,
      hint:
        "It must know `overwrite` for the registration of tables, which came with Iceberg 1.11: upgrade the catalogue, or use ICEBERG_CATALOGUE=zone",
      cause,
    },
  );
}
