import assert from "node:assert/strict";
import { redact } from "../../../lib/settings/redact.ts";

for (
  const { text, redacted } of [
    {
      text: "at postgres://me:secret@host:5432/db, and",
      redacted: "at postgres://me:***@host:5432/db, and",
    },
    {
      text: "postgres://me:a:b@host/db",
      redacted: "postgres://me:***@host/db",
    },
    { text: "postgres://:secret@host", redacted: "postgres://:***@host" },
    { text: "postgres://me:p@ss@host", redacted: "postgres://me:***@host" },
    { text: "postgres://me:p/w@host", redacted: "postgres://me:***@host" },
    {
      text: "a://b:c@d then e://f:g@h",
      redacted: "a://b:***@d then e://f:***@h",
    },
    {
      text: "postgres://me@host:5432/db",
      redacted: "postgres://me@host:5432/db",
    },
    { text: "http://127.0.0.1:9000/a", redacted: "http://127.0.0.1:9000/a" },
    { text: "12:30 me@host", redacted: "12:30 me@host" },
  ]
) {
  Deno.test(`redact() makes ${text} ${redacted}`, () => {
    assert.equal(redact(text), redacted);
  });
}
