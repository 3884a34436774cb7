/**
 * What a zone in S3 uses of the AWS SDK. Its import takes as long as the rest
 * of a command's start, so only a zone that is read or written imports it.
 */
export {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
export { PART_BYTES, uploadParts } from "./s3_multipart.ts";
export { dateOfAnswer } from "./s3_clock.ts";
export { listUploads } from "./s3_uploads.ts";
