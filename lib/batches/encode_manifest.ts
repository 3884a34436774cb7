import { StageError } from "../errors.ts";
import { sha256Hex } from "../zone/checksum.ts";
import type { Manifest } from "./manifest.ts";
import { RESTORE_FILE } from "../zone/restore_hint.ts";

/** How an answer begins that something in the store's place gives. */
const PAGE = /^\s*</;
const NO_PAGE =
  `Check AWS_ENDPOINT_URL, and whether a proxy or a sign-in page answers in the store's place. If the file itself is such a page: ${RESTORE_FILE}`;

/** Encodes a manifest as bytes that carry their own checksum. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const body = JSON.stringify(manifest);
  return new TextEncoder().encode(
    `{"sha256":"${sha256Hex(body)}","manifest":${body}}\n`,
  );
}

/** The checksum by which other manifests and the ledger refer to this one. */
export function manifestSha256(manifest: Manifest): string {
  return sha256Hex(JSON.stringify(manifest));
}

/**
 * Decodes a manifest and checks its checksum, number and stage; throws a
 * `StageError` with the file as its subject.
 */
export function decodeManifest<M extends Manifest>(
  bytes: Uint8Array,
  expected: { file: string; stage: M["stage"]; batch: number },
): M {
  const refused = (found: string, hint: string, cause?: unknown) =>
    new StageError(`Cannot read the manifest ${expected.file}: ${found}`, {
      subject: expected.file,
      hint,
      cause,
    });
  const damaged = (found: string, cause?: unknown) =>
    refused(found, RESTORE_FILE, cause);
  const text = new TextDecoder().decode(bytes);
  if (PAGE.test(text)) {
    throw refused("it is a page of HTML or XML, not a manifest", NO_PAGE);
  }
  let sealed: { sha256: string; manifest: M };
  try {
    sealed = JSON.parse(text);
  } catch (error) {
    throw damaged("it is not JSON (truncated?)", error);
  }
  const { manifest } = sealed;
  if (
    typeof manifest !== "object" || manifest === null ||
    manifestSha256(manifest) !== sealed.sha256
  ) throw damaged("its content does not match its checksum");
  if (manifest.format !== 1) {
    throw refused(
      `its format is ${manifest.format}, this version reads 1`,
      "A newer version wrote it: run that version here, too",
    );
  }
  if (manifest.stage !== expected.stage) {
    throw refused(
      `it belongs to ${manifest.stage}, not to ${expected.stage}`,
      "Correct INGESTION_URL and PROCESSED_URL: they are exchanged, or name the same place",
    );
  }
  if (manifest.batch !== expected.batch) {
    throw damaged(`it belongs to batch ${manifest.batch}`);
  }
  return manifest;
}
