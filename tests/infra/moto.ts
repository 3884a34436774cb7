/** moto, a server that keeps what AWS's interfaces make: reads it back. */
export class Moto {
  readonly url: string;
  readonly #region: string;
  readonly #client: Deno.HttpClient;

  constructor(options: { port: number; region: string; ca: string }) {
    this.url = `https://127.0.0.1:${options.port}`;
    this.#region = options.region;
    this.#client = Deno.createHttpClient({ caCerts: [options.ca] });
  }

  /** Whether it answers yet. */
  async isReady(): Promise<boolean> {
    return await this.#fetch("/moto-api/").then(() => true, () => false);
  }

  /** What a service answers to a GET, as text. */
  async get(service: string, path: string): Promise<string> {
    return await this.#fetch(path, { headers: this.#signed(service) });
  }

  /** Removes something of a service. */
  async remove(service: string, path: string): Promise<void> {
    const headers = this.#signed(service);
    await this.#fetch(path, { method: "DELETE", headers });
  }

  /** From now on it checks every call's signature and the caller's rights. */
  async enforceRights(): Promise<void> {
    await this.#fetch("/moto-api/reset-auth", { method: "POST", body: "0" });
  }

  /** From now on it lets everybody do all again. */
  async ignoreRights(): Promise<void> {
    await this.#fetch("/moto-api/reset-auth", { method: "POST", body: "inf" });
  }

  /** What a service answers to a GET, as JSON. */
  async getJson(service: string, path: string): Promise<Answer> {
    return JSON.parse(await this.get(service, path));
  }

  /** What a service of the form protocol answers, as XML. */
  async query(
    service: string,
    version: string,
    fields: Record<string, string>,
  ): Promise<string> {
    return await this.#fetch("/", {
      method: "POST",
      headers: this.#signed(service),
      body: new URLSearchParams({ ...fields, Version: version }),
    });
  }

  /** What a service of the JSON protocol answers. */
  async call(service: string, target: string, body: unknown): Promise<Answer> {
    return JSON.parse(
      await this.#fetch("/", {
        method: "POST",
        headers: {
          ...this.#signed(service),
          "x-amz-target": target,
          "content-type": "application/x-amz-json-1.1",
        },
        body: JSON.stringify(body),
      }),
    );
  }

  /** The network that an account has from the start. */
  async network(): Promise<
    { id: string; subnet_ids: string[]; route_table_ids: string[] }
  > {
    const ec2 = (action: string) =>
      this.query("ec2", "2016-11-15", { Action: action });
    const subnets = await ec2("DescribeSubnets");
    const tables = await ec2("DescribeRouteTables");
    return {
      id: valuesOf(subnets, "vpcId")[0] ?? "",
      subnet_ids: valuesOf(subnets, "subnetId").slice(0, 2),
      route_table_ids: [...new Set(valuesOf(tables, "routeTableId"))],
    };
  }

  /** It takes the service from here, and checks no signature. */
  #signed(service: string): Record<string, string> {
    const scope = `testing/20260101/${this.#region}/${service}/aws4_request`;
    return {
      authorization:
        `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
    };
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<string> {
    const answer = await fetch(this.url + path, {
      ...init,
      client: this.#client,
    });
    const text = await answer.text();
    if (answer.ok) return text;
    throw new Error(`moto answered ${path} HTTP ${answer.status}: ${text}`);
  }
}

/** An answer in JSON, of which only what a test names is looked at. */
export interface Answer {
  [name: string]: Answer | Answer[] | string | number | undefined;
}

/** A value that is an object. */
export function objectOf(value: Answer[string]): Answer {
  if (typeof value === "object" && !Array.isArray(value)) return value;
  throw new TypeError(`${value} is no object`);
}

/** A value that is a list; empty if it is missing. */
export function listOf(value: Answer[string]): Answer[] {
  return Array.isArray(value) ? value : [];
}

/** The texts of an XML element. */
export function valuesOf(xml: string, name: string): string[] {
  const found = xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"));
  return [...found].map(([, value = ""]) => value);
}
