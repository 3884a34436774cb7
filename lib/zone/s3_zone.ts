import type {
  GetObjectCommandInput,
  GetObjectCommandOutput,
  S3Client,
  S3ClientConfig,
} from "@aws-sdk/client-s3";
import { chunks, noting, once } from "./chunks.ts";
import { clientConfig, PATIENCE, S3Patience } from "./s3_client_config.ts";
import {
  etagOf,
  isMissingHead,
  isMissingKey,
  notS3,
  s3Error,
  statusOf,
} from "./s3_error.ts";
import type {
  ByteRange,
  FileHead,
  ListedFile,
  ListOptions,
  PutOptions,
  S3Settings,
  StoredFile,
  UnfinishedFile,
  WriteOptions,
  Zone,
} from "./zone.ts";
import { checkPrefix, checkZoneKey } from "./zone_key.ts";

/** The SDK, and a client of it. */
type Sdk = typeof import("./s3_sdk.ts") & { client: S3Client };
type Body = NonNullable<GetObjectCommandOutput["Body"]>;

/**
 * A zone in S3, or on a server that speaks its protocol. Failed requests are
 * retried, so a `create` whose answer was lost may find its own file and return
 * false: a caller that must know reads the file. One class, though the file is
 * over 300 lines: the contract's operations share a client and what its errors
 * mean.
 */
export class S3Zone implements Zone {
  readonly url: string;
  readonly listsAfter = true;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #endpoint: string | undefined;
  readonly #clientConfig: S3ClientConfig;
  #sdk: Promise<Sdk> | undefined;

  constructor(
    url: string,
    settings: S3Settings,
    patience: S3Patience = PATIENCE,
  ) {
    this.url = url.replace(/\/+$/, "");
    const [bucket = "", ...folders] = this.url.slice("s3://".length).split("/");
    if (folders.length > 0) checkZoneKey(folders.join("/"));
    this.#bucket = bucket;
    this.#prefix = folders.map((folder) => `${folder}/`).join("");
    this.#endpoint = settings.endpoint;
    this.#clientConfig = clientConfig(settings, patience);
  }

  locate(key: string): string {
    checkZoneKey(key);
    return `${this.url}/${key}`;
  }

  async read(key: string): Promise<StoredFile | undefined> {
    const target = this.#target(key);
    return await this.#orMissing(`Cannot read "${key}" in`, async () => {
      const answer = await this.#get(target);
      const etag = etagOf(answer);
      const bytes = await answer.Body.transformToByteArray();
      return { bytes: new Uint8Array(bytes), etag };
    });
  }

  async readRange(key: string, range: ByteRange): Promise<Uint8Array> {
    const target = this.#target(key);
    const Range = `bytes=${range.offset}-${range.offset + range.length - 1}`;
    return await this.#attempt(`Cannot read "${key}" in`, async () => {
      try {
        const { Body } = await this.#get({ ...target, Range });
        return await Body.transformToByteArray();
      } catch (error) {
        if (statusOf(error) === 416) return new Uint8Array();
        throw error;
      }
    });
  }

  async head(key: string): Promise<FileHead | undefined> {
    const target = this.#target(key);
    const { client, HeadObjectCommand } = await this.#open();
    return await this.#orMissing(`Cannot read "${key}" in`, async () => {
      const found = await client.send(new HeadObjectCommand(target))
        .catch((error) => this.#withReason(error, target));
      return {
        bytes: found.ContentLength ?? 0,
        etag: etagOf(found),
        modified: found.LastModified ?? new Date(0),
      };
    }, isMissingHead);
  }

  async stream(key: string): Promise<AsyncIterable<Uint8Array>> {
    const target = this.#target(key);
    const task = `Cannot read "${key}" in`;
    const { Body } = await this.#attempt(task, () => this.#get(target));
    return this.#follow(task, Body.transformToWebStream());
  }

  async create(key: string, content: Uint8Array): Promise<boolean> {
    return await this.#putIf(key, content, { IfNoneMatch: "*" });
  }

  async put(
    key: string,
    content: Uint8Array,
    options: PutOptions = {},
  ): Promise<boolean> {
    const { ifMatch } = options;
    const condition = ifMatch === undefined ? {} : { IfMatch: ifMatch };
    return await this.#putIf(key, content, condition);
  }

  async write(
    key: string,
    content: AsyncIterable<Uint8Array>,
    options: WriteOptions = {},
  ): Promise<number> {
    const target = this.#target(key);
    const { client, PART_BYTES, uploadParts } = await this.#open();
    let sourceError: unknown;
    const parts = noting(
      chunks(content, { ...options, bytes: PART_BYTES }),
      (error) => sourceError = error,
    );
    try {
      return await uploadParts(client, parts, target, { IfNoneMatch: "*" });
    } catch (error) {
      // An error of the source or the signal is not about the zone.
      if (sourceError !== undefined) throw sourceError;
      throw this.#error("Cannot write to", error);
    }
  }

  async *list(
    prefix: string,
    { after }: ListOptions = {},
  ): AsyncIterable<ListedFile> {
    checkPrefix(prefix);
    const { client, paginateListObjectsV2 } = await this.#open();
    const pages = paginateListObjectsV2({ client }, {
      Bucket: this.#bucket,
      Prefix: this.#prefix + prefix,
      ...(after === undefined ? {} : { StartAfter: this.#prefix + after }),
    });
    for await (const page of this.#follow("Cannot list", pages)) {
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        if (Key === undefined) continue;
        yield {
          key: Key.slice(this.#prefix.length),
          bytes: Size ?? 0,
          modified: LastModified ?? new Date(0),
        };
      }
    }
  }

  async remove(key: string): Promise<void> {
    const target = this.#target(key);
    const { client, DeleteObjectCommand } = await this.#open();
    await this.#attempt(
      `Cannot remove "${key}" from`,
      () => client.send(new DeleteObjectCommand(target)),
    );
  }

  async *unfinished(): AsyncIterable<UnfinishedFile> {
    const place = { Bucket: this.#bucket, Prefix: this.#prefix };
    const { client, listUploads } = await this.#open();
    const uploads = listUploads(client, place);
    for await (
      const one of this.#follow("Cannot list the uploads to", uploads)
    ) {
      yield {
        ...one,
        remove: () => this.#attempt("Cannot end an upload to", one.remove),
      };
    }
  }

  /** S3 has no folders: a key with slashes is just a name. */
  async removeEmptyFolders(): Promise<void> {}

  /** The `date` header of an answer; any answer will do. */
  async now(): Promise<Date> {
    const { client, dateOfAnswer } = await this.#open();
    const date = await this.#attempt(
      "Cannot list",
      () =>
        dateOfAnswer(client, { Bucket: this.#bucket, Prefix: this.#prefix }),
    );
    const now = new Date(date ?? "");
    if (!Number.isNaN(now.getTime())) return now;
    throw this.#error("Cannot read the clock of", new Error("no date header"));
  }

  close(): void {
    this.#sdk?.then(({ client }) => client.destroy(), () => {});
  }

  #open(): Promise<Sdk> {
    return this.#sdk ??= import("./s3_sdk.ts").then((sdk) => ({
      ...sdk,
      client: new sdk.S3Client(this.#clientConfig),
    }));
  }

  #target(key: string): { Bucket: string; Key: string } {
    checkZoneKey(key);
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async #get(
    input: GetObjectCommandInput,
  ): Promise<GetObjectCommandOutput & { Body: Body }> {
    const { client, GetObjectCommand } = await this.#open();
    const found = await client.send(new GetObjectCommand(input));
    if (found.Body === undefined) throw notS3("the answer has no body");
    return { ...found, Body: found.Body };
  }

  async #putIf(
    key: string,
    content: Uint8Array,
    condition: { IfMatch?: string; IfNoneMatch?: string },
  ): Promise<boolean> {
    const target = this.#target(key);
    const { client, PART_BYTES, PutObjectCommand, uploadParts } = await this
      .#open();
    try {
      if (content.length > PART_BYTES) {
        const parts = chunks(once(content), { bytes: PART_BYTES });
        await uploadParts(client, parts, target, condition);
      } else {
        etagOf(
          await client.send(
            new PutObjectCommand({ ...target, ...condition, Body: content }),
          ),
        );
      }
      return true;
    } catch (error) {
      const status = statusOf(error);
      if (status === 412) return false;
      // It was removed, or replaced in a race: the caller must look again.
      const replaced = status === 409 || isMissingKey(error);
      if (condition.IfMatch !== undefined && replaced) return false;
      throw this.#error("Cannot write to", error);
    }
  }

  async *#follow<T>(
    task: string,
    pieces: AsyncIterable<T>,
  ): AsyncGenerator<T> {
    try {
      yield* pieces;
    } catch (error) {
      throw this.#error(task, error);
    }
  }

  async #attempt<T>(task: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#error(task, error);
    }
  }

  async #orMissing<T>(
    task: string,
    work: () => Promise<T>,
    isMissing = isMissingKey,
  ): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.#error(task, error);
    }
  }

  /** Throws why a HEAD was refused: a GET's answer has a body that says it. */
  async #withReason(
    error: unknown,
    target: { Bucket: string; Key: string },
  ): Promise<never> {
    const status = statusOf(error) ?? 0;
    if (status >= 400 && status < 429 && !isMissingHead(error)) {
      const { Body } = await this.#get({ ...target, Range: "bytes=0-0" });
      await Body.transformToByteArray();
    }
    throw error;
  }

  #error(task: string, error: unknown): Error {
    return s3Error(error, { task, url: this.url, endpoint: this.#endpoint });
  }
}
