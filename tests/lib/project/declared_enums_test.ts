import assert from "node:assert/strict";
import {
  labelsOf,
  readDeclaredEnums,
} from "../../../lib/project/declared_enums.ts";

function enumsOf(...texts: string[]): Record<string, readonly string[]> {
  return Object.fromEntries(
    readDeclaredEnums(
      texts.map((text, index) => ({ name: String(index), text })),
    ),
  );
}

Deno.test("readDeclaredEnums() follows the statements that change labels", () => {
  assert.deepEqual(
    enumsOf(
      `CREATE TYPE Mood AS ENUM ('a', -- 'no'
        'it''s, (b)', 'Ü;');
      create type "Mood" as enum ();
      create type public.gone as enum ('x');
      create type pair as (a integer, b text);
      create type other.mood as enum ('z');`,
      `alter type mood add value if not exists 'c' before 'a';
      alter type public."Mood" add value 'd';
      alter type mood rename value 'a' to 'e';
      alter type mood rename value 'nobody' to 'f';
      alter type mood rename to feeling;
      drop type if exists gone cascade;
      do $$ begin create type hidden as enum ('x'); end $$;`,
    ),
    { "Mood": ["d"], feeling: ["e", "it's, (b)", "Ü;", "c"] },
  );
});

Deno.test("labelsOf() knows a column's type as it is declared", () => {
  const enums = new Map([["mood", ["a"]], ["Mood", ["b"]]]);

  assert.deepEqual(labelsOf(enums, "mood"), ["a"]);
  assert.deepEqual(labelsOf(enums, 'public."Mood"'), ["b"]);
  for (const type of ["mood[]", "other.mood", "text", '"mood ']) {
    assert.equal(labelsOf(enums, type), undefined);
  }
});
