import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { retry } from "../retry.ts";
import { etagOf } from "./s3_error.ts";

/** S3 accepts parts of 5 MiB to 5 GiB; the last one may be smaller. */
export const PART_BYTES = 8 << 20;
const PARTS_MAX = 10_000;
const IN_FLIGHT_MAX = 2;
const ABORT_ATTEMPTS_MAX = 3;

/** The object to upload to. */
export interface UploadTarget {
  Bucket: string;
  Key: string;
}

/** The condition under which the object may appear. */
export interface UploadCondition {
  IfMatch?: string;
  IfNoneMatch?: string;
}

/**
 * Uploads parts of `PART_BYTES` (the last may be smaller), each with a
 * checksum, two at a time, and returns how many bytes they have. A single part
 * is one plain PUT. Throws if an answer is none of S3's. If anything fails, the
 * upload is aborted once no part is in flight: an abort that overtakes a part
 * leaves that part, and its cost, behind.
 */
export async function uploadParts(
  client: S3Client,
  parts: AsyncIterable<Uint8Array>,
  target: UploadTarget,
  condition: UploadCondition,
): Promise<number> {
  const iterator = parts[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    const second = first.done ? first : await iterator.next();
    if (second.done) {
      const content = first.done ? new Uint8Array() : first.value;
      etagOf(
        await client.send(
          new PutObjectCommand({ ...target, ...condition, Body: content }),
        ),
      );
      return content.length;
    }
    const all = resumed([first.value, second.value], iterator);
    return await uploadSeveral(client, all, target, condition);
  } finally {
    await iterator.return?.();
  }
}

async function uploadSeveral(
  client: S3Client,
  parts: AsyncIterable<Uint8Array>,
  target: UploadTarget,
  condition: UploadCondition,
): Promise<number> {
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: "CRC32" }),
  );
  const upload = { ...target, UploadId };
  const inFlight = new Set<Promise<void>>();
  const completed: CompletedPart[] = [];
  let bytes = 0;
  try {
    let number = 0;
    for await (const part of parts) {
      if (++number > PARTS_MAX) {
        throw new Error(`the file has more than ${PARTS_MAX} parts`);
      }
      const sent = sendPart(client, part, { ...upload, PartNumber: number })
        .then((done) => {
          completed.push(done);
          inFlight.delete(sent);
        });
      sent.catch(() => {});
      inFlight.add(sent);
      bytes += part.length;
      if (inFlight.size >= IN_FLIGHT_MAX) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    completed.sort((left, right) =>
      (left.PartNumber ?? 0) - (right.PartNumber ?? 0)
    );
    etagOf(
      await client.send(
        new CompleteMultipartUploadCommand({
          ...upload,
          ...condition,
          MultipartUpload: { Parts: completed },
        }),
      ),
    );
    return bytes;
  } catch (error) {
    await Promise.allSettled(inFlight);
    await abort(client, upload);
    throw error;
  }
}

async function sendPart(
  client: S3Client,
  content: Uint8Array,
  part: UploadTarget & { UploadId: string | undefined; PartNumber: number },
): Promise<CompletedPart> {
  const answer = await client.send(
    new UploadPartCommand({
      ...part,
      Body: content,
      ChecksumAlgorithm: "CRC32",
    }),
  );
  return {
    PartNumber: part.PartNumber,
    ETag: etagOf(answer),
    ChecksumCRC32: answer.ChecksumCRC32,
  };
}

/** Tries to abort; the bucket's lifecycle rule removes what is left. */
async function abort(
  client: S3Client,
  upload: UploadTarget & { UploadId: string | undefined },
): Promise<void> {
  await retry(() => client.send(new AbortMultipartUploadCommand(upload)), {
    attemptsMax: ABORT_ATTEMPTS_MAX,
    isRetryable: (error) =>
      !(error instanceof Error && error.name === "NoSuchUpload"),
  }).catch(() => {});
}

async function* resumed<T>(
  before: T[],
  iterator: AsyncIterator<T>,
): AsyncGenerator<T> {
  yield* before;
  for (
    let next = await iterator.next();
    !next.done;
    next = await iterator.next()
  ) yield next.value;
}
