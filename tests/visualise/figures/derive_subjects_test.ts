import assert from "node:assert/strict";
import { deriveSubjects } from "../../../visualise/figures/derive_subjects.ts";
import { projectOf } from "../../harness/companies/small_project.ts";

/** What rows of a dimension with these columns are named by. */
async function namedBy(
  columns: readonly (readonly [name: string, type: string])[],
  notNull: string,
): Promise<readonly string[] | undefined> {
  const sql = await projectOf({
    "source.sql": `create table part (id integer primary key);
      create table sale (id integer primary key, part integer not null);`,
    "models/dim_part.sql":
      `-- Key: id.\n-- Not null: ${notNull}.\n\nselect id from changed.part`,
    "models/fact_sale.sql":
      "-- Key: id.\n-- References: part -> dim_part.\n\nselect id, part from changed.sale",
  });
  const rows = (
    model: string,
    given: readonly (readonly [name: string, type: string])[],
  ) => given.map(([name, type]) => ({ model, name, type, refers_to: null }));
  const [subject] = deriveSubjects(sql.models, [
    ...rows("dim_part", [["id", "integer"], ...columns]),
    ...rows("fact_sale", [["id", "integer"], ["part", "integer"]]),
  ]);
  return subject?.dimensions[0]?.named?.columns;
}

Deno.test("deriveSubjects() names a dimension's rows by a text that tells them apart", async () => {
  const texts = (...names: string[]) =>
    names.map((name) => [name, "text"] as const);

  assert.deepEqual(await namedBy(texts("note", "code"), "note"), ["note"]);
  assert.deepEqual(await namedBy(texts("code", "PartName"), "code"), [
    "PartName",
  ]);
  // No model has a column that was renamed; the warehouse keeps it.
  assert.deepEqual(await namedBy(texts("name", "slug", "title"), "title"), [
    "title",
  ]);
  assert.deepEqual(
    await namedBy(texts("currency", "order_state"), "currency"),
    [
      "id",
    ],
  );
});
