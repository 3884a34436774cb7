/** A stand-in for AWS Secrets Manager: secrets by id, over its protocol. */
export class TestSecretsManager implements AsyncDisposable {
  readonly secrets = new Map<string, string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(secrets: Record<string, string>) {
    for (const [id, value] of Object.entries(secrets)) {
      this.secrets.set(id, value);
    }
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const { SecretId } = await request.json();
        const SecretString = this.secrets.get(SecretId);
        return SecretString === undefined
          ? Response.json({
            __type: "ResourceNotFoundException",
            message: "Secrets Manager can't find the specified secret.",
          }, { status: 400 })
          : Response.json({ SecretString });
      },
    );
  }

  /** For `AWS_ENDPOINT_URL_SECRETS_MANAGER`. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
