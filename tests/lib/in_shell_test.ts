import assert from "node:assert/strict";
import { inShell } from "../../lib/in_shell.ts";
import { repairCommands } from "../../verify/repair_commands.ts";

Deno.test("inShell() writes a word that a shell reads back", async () => {
  for (
    const word of [
      "lot,part",
      "Order Details",
      "it's",
      "a/b$1",
      "`x`",
      "Größe",
      "",
    ]
  ) {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `printf %s ${inShell(word)}`],
    }).output();
    assert.equal(new TextDecoder().decode(stdout), word);
  }
  assert.equal(inShell("lot,part"), "lot,part");
});

Deno.test("commands that repair a table can be copied into a shell", () => {
  assert.deepEqual(
    repairCommands("lake", {
      model: { derivation: "row" },
      tables: ["Order Details", "lot"],
      kinds: ["different"],
      lakeRepairs: [],
    }),
    ["./totesys resync 'Order Details'", "./totesys resync lot"],
  );
});
