import assert from "node:assert/strict";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { type S3Server, startS3Server } from "../../embedded/s3_server.ts";
import { StageError } from "../../lib/errors.ts";
import { PART_BYTES, uploadParts } from "../../lib/zone/s3_multipart.ts";

const Bucket = "lake";
const RACERS = 20;

Deno.test("startS3Server() serves what was put: whole, in ranges, listed", async () => {
  await using server = await startS3Server({ buckets: [Bucket] });
  using s3 = connect(server);

  await put(s3, { Key: "a/one", Body: "0123456789" });
  await put(s3, { Key: "b/two", Body: "" });

  const whole = await s3.client.send(
    new GetObjectCommand({ Bucket, Key: "a/one" }),
  );
  assert.equal(await whole.Body?.transformToString(), "0123456789");
  const range = await s3.client.send(
    new GetObjectCommand({ Bucket, Key: "a/one", Range: "bytes=2-4" }),
  );
  assert.equal(range.$metadata.httpStatusCode, 206);
  assert.equal(await range.Body?.transformToString(), "234");
  const head = await s3.client.send(
    new HeadObjectCommand({ Bucket, Key: "a/one" }),
  );
  assert.equal(head.ContentLength, 10);
  const list = await s3.client.send(
    new ListObjectsV2Command({ Bucket, Prefix: "a/" }),
  );
  assert.deepEqual(list.Contents?.map(({ Key }) => Key), ["a/one"]);
});

Deno.test("startS3Server() lets one of several concurrent creations win", async () => {
  await using server = await startS3Server({ buckets: [Bucket] });
  using s3 = connect(server);

  const results = await Promise.all(
    Array.from({ length: RACERS }, (_, racer) =>
      statusOf(put(s3, {
        Key: "manifest",
        Body: `racer ${racer}`,
        IfNoneMatch: "*",
      }))),
  );

  assert.equal(results.filter((status) => status === 200).length, 1);
  assert.equal(results.filter((status) => status === 412).length, RACERS - 1);
  const { Body } = await s3.client.send(
    new GetObjectCommand({ Bucket, Key: "manifest" }),
  );
  assert.equal(
    await Body?.transformToString(),
    `racer ${results.indexOf(200)}`,
  );
});

Deno.test("startS3Server() replaces an object only where its ETag matches", async () => {
  await using server = await startS3Server({ buckets: [Bucket] });
  using s3 = connect(server);
  const { ETag = "" } = await put(s3, { Key: "one", Body: "1" });

  const wrong = statusOf(
    put(s3, { Key: "one", Body: "2", IfMatch: '"0000"' }),
  );
  const right = statusOf(put(s3, { Key: "one", Body: "2", IfMatch: ETag }));
  const missing = statusOf(put(s3, { Key: "two", Body: "2", IfMatch: ETag }));

  assert.deepEqual(await Promise.all([wrong, right, missing]), [412, 200, 404]);
});

Deno.test("startS3Server() enforces the condition of a multipart upload", async () => {
  await using server = await startS3Server({ buckets: [Bucket] });
  using s3 = connect(server);

  const results = await Promise.all(
    [1, 2].map(async (fill) => {
      const parts = [PART_BYTES, PART_BYTES, 7].map((bytes) =>
        new Uint8Array(bytes).fill(fill)
      );
      const upload = uploadParts(
        s3.client,
        ReadableStream.from(parts),
        { Bucket, Key: "big" },
        { IfNoneMatch: "*" },
      );
      return await statusOf(
        upload.then(() => ({ $metadata: { httpStatusCode: 200 } })),
      );
    }),
  );

  assert.deepEqual(results.toSorted(), [200, 412]);
  const { Body } = await s3.client.send(
    new GetObjectCommand({ Bucket, Key: "big" }),
  );
  const bytes = await Body?.transformToByteArray();
  assert.equal(bytes?.length, 2 * PART_BYTES + 7);
  assert.equal(bytes?.at(-1), results.indexOf(200) + 1);
});

Deno.test("startS3Server() forgets an upload that was aborted", async () => {
  await using server = await startS3Server({ buckets: [Bucket] });
  using s3 = connect(server);
  const { UploadId } = await s3.client.send(
    new CreateMultipartUploadCommand({ Bucket, Key: "big" }),
  );
  const part = await s3.client.send(
    new UploadPartCommand({
      Bucket,
      Key: "big",
      UploadId,
      PartNumber: 1,
      Body: "part",
    }),
  );

  await s3.client.send(
    new AbortMultipartUploadCommand({ Bucket, Key: "big", UploadId }),
  );

  const completed = s3.client.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key: "big",
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag: part.ETag }] },
    }),
  );
  assert.equal(await statusOf(completed), 404);
  assert.equal(
    await statusOf(
      s3.client.send(new HeadObjectCommand({ Bucket, Key: "big" })),
    ),
    404,
  );
});

Deno.test("startS3Server() takes a body of 32 MiB in one request", async () => {
  await using server = await startS3Server({ buckets: [Bucket] });
  using s3 = connect(server);

  await put(s3, { Key: "big", Body: new Uint8Array(2 ** 25) });

  const head = await s3.client.send(
    new HeadObjectCommand({ Bucket, Key: "big" }),
  );
  assert.equal(head.ContentLength, 2 ** 25);
});

Deno.test("startS3Server() keeps objects in its folder", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    await using first = await startS3Server({ dataDir, buckets: [Bucket] });
    {
      using s3 = connect(first);
      await put(s3, { Key: "kept/one.csv", Body: "1" });
      await first.stop();
    }

    await using second = await startS3Server({ dataDir, buckets: [Bucket] });
    using s3 = connect(second);
    const again = put(s3, {
      Key: "kept/one.csv",
      Body: "2",
      IfNoneMatch: "*",
    });

    assert.equal(await statusOf(again), 412);
    const { Body } = await s3.client.send(
      new GetObjectCommand({ Bucket, Key: "kept/one.csv" }),
    );
    assert.equal(await Body?.transformToString(), "1");
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("startS3Server() says which port is in use", async () => {
  await using server = await startS3Server({ buckets: [] });
  const port = Number(new URL(server.endpoint).port);

  const second = startS3Server({ port, buckets: [] });

  await assert.rejects(second, (error: unknown) => {
    assert(error instanceof StageError);
    assert.equal(error.subject, String(port));
    assert.equal(
      error.message,
      `Cannot start the S3 server on port ${port}: the port is in use`,
    );
    return true;
  });
});

interface Connection extends Disposable {
  client: S3Client;
}

function connect({ endpoint }: S3Server): Connection {
  const client = new S3Client({
    endpoint,
    forcePathStyle: true,
    region: "eu-west-2",
    maxAttempts: 1,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  return { client, [Symbol.dispose]: () => client.destroy() };
}

function put(
  { client }: Connection,
  input: {
    Key: string;
    Body: string | Uint8Array;
    IfNoneMatch?: string;
    IfMatch?: string;
  },
) {
  return client.send(new PutObjectCommand({ Bucket, ...input }));
}

async function statusOf(
  sent: Promise<{ $metadata: { httpStatusCode?: number | undefined } }>,
): Promise<number | undefined> {
  try {
    return (await sent).$metadata.httpStatusCode;
  } catch (error) {
    if (error instanceof S3ServiceException) {
      return error.$metadata.httpStatusCode;
    }
    throw error;
  }
}
