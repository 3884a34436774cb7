import { join } from "node:path";

/** A certificate authority of a test's own, by the openssl program. */
export class CertificateAuthority {
  /** The file of its certificate. */
  readonly file: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.file = join(folder, "ca.pem");
  }

  /** Makes one in a folder that is missing; its key stays there. */
  static async create(folder: string): Promise<CertificateAuthority> {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(join(folder, "index.txt"), "");
    await Deno.writeTextFile(join(folder, "serial"), "01\n");
    await Deno.writeTextFile(join(folder, "request.cnf"), REQUEST);
    await openssl(folder, [
      ...["req", "-config", "request.cnf", "-extensions", "authority"],
      ...["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
      ...["-subj", "/CN=Test authority", "-keyout", "ca.key"],
      ...["-out", "ca.pem"],
    ]);
    return new CertificateAuthority(folder);
  }

  /** Makes the certificate of a server, or a client, and its key, as PEM. */
  async issue(options: {
    /** What it names: `DNS:localhost`, `IP:127.0.0.1`. */
    names: string;
    expired?: boolean;
    /** Whom it is of: a server asks a client for its user's name. */
    subject?: string;
  }): Promise<{ cert: string; key: string }> {
    const folder = this.#folder;
    await Deno.writeTextFile(join(folder, "sign.cnf"), signing(options.names));
    await openssl(folder, [
      ...["req", "-config", "request.cnf", "-newkey", "rsa:2048", "-nodes"],
      ...[
        "-subj",
        `/CN=${options.subject ?? "Test server"}`,
        "-keyout",
        "server.key",
      ],
      ...["-out", "server.csr"],
    ]);
    const [from, to] = options.expired === true ? [-3, -1] : [-1, 2];
    await openssl(folder, [
      ...["ca", "-batch", "-notext", "-config", "sign.cnf"],
      ...["-startdate", timeInDays(from), "-enddate", timeInDays(to)],
      ...["-in", "server.csr", "-out", "server.pem"],
    ]);
    return {
      cert: await Deno.readTextFile(join(folder, "server.pem")),
      key: await Deno.readTextFile(join(folder, "server.key")),
    };
  }
}

const MS_PER_DAY = 86_400_000;
const REQUEST = `[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
`;

function signing(names: string): string {
  return `[ca]
default_ca = authority
[authority]
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
unique_subject = no
policy = policy
x509_extensions = server
[policy]
commonName = supplied
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = ${names}
`;
}

/** `YYMMDDHHMMSSZ`, days from now. */
function timeInDays(days: number): string {
  const time = new Date(Date.now() + days * MS_PER_DAY).toISOString();
  return `${time.slice(2, 19).replace(/\D/g, "")}Z`;
}

async function openssl(folder: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", {
    args,
    cwd: folder,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
