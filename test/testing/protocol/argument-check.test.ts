import { expect, it } from "vitest";
import { wireClient } from "../../../scripts/lab/wire-client.ts";
import { parseTranscript, startReplay } from "../../../src/testing/index.ts";

const schema = new URL("../../../fixtures/schema/7.2.22_x86_64.json", import.meta.url).pathname;

// What QEMU 7.2 says; the differential test asks it again.
it.each([
  ["nosuch", {}, "The command nosuch has not been found"],
  ["qom-list", {}, "Parameter 'path' is missing"],
  ["balloon", { value: "a" }, "Invalid parameter type for 'value', expected: integer"],
  [
    "migrate-set-capabilities",
    { capabilities: [{ capability: "xbzrle", state: 1 }] },
    "Invalid parameter type for 'capabilities[0].state', expected: boolean",
  ],
  ["chardev-add", { id: "a", backend: { type: "nope", data: {} } }, "Parameter 'type' does not accept value 'nope'"],
  ["query-cpu-model-expansion", { type: "full", model: { name: "x", y: 1 } }, "Parameter 'model.y' is unexpected"],
])("what the schema does not allow is refused in QEMU's words, and is no mismatch: %s %j", async (command, args, desc) => {
  await using server = await startReplay({ schema });
  await using client = await wireClient(server.address);
  await client.negotiate();
  expect(await client.ask(command, args)).toMatchObject({ error: { desc } });
});

it("what the schema allows and the transcript does not have is a mismatch still", async () => {
  const server = await startReplay({ schema, transcript: parseTranscript("#! end\n", "inline.qmp") });
  await using client = await wireClient(server.address);
  await client.negotiate();
  expect(await client.ask("balloon", { value: 1 })).toMatchObject({
    error: { desc: expect.stringContaining("not as recorded") as string },
  });
  await expect(server.close()).rejects.toThrow("balloon");
});

it("the release that a transcript names is used by default, unless the test wants none", async () => {
  const transcript = parseTranscript("# qemu: 5.2.0 (Debian 1:5.2)\n# arch: x86_64\n#! end\n", "inline.qmp");
  await using server = await startReplay({ transcript });
  await using client = await wireClient(server.address);
  await client.negotiate();
  expect(await client.ask("chardev-add", { id: "a", backend: { type: "nope" } })).toMatchObject({
    error: { desc: "Invalid parameter 'nope'" },
  });
  expect(await client.ask("device-sync-config")).toMatchObject({ error: { class: "CommandNotFound" } });
  const ignorant = await startReplay({ transcript, schema: false });
  await using other = await wireClient(ignorant.address);
  await other.negotiate();
  expect(await other.ask("device-sync-config")).toMatchObject({ error: { desc: expect.stringContaining("not as recorded") as string } });
  await expect(ignorant.close()).rejects.toThrow("device-sync-config");
});

it("a release can be asked for, and is greeted with; what a test answers by itself is known", async () => {
  await using server = await startReplay({ schema: "11.1", answers: { "x-mine": () => 1, balloon: () => ({}) } });
  await using client = await wireClient(server.address);
  expect(await client.message()).toMatchObject({ QMP: { version: { qemu: { major: 11, minor: 1 } } } });
  await client.ask("qmp_capabilities");
  expect(await client.ask("x-mine")).toEqual({ return: 1 });
  expect(await client.ask("balloon")).toMatchObject({ error: { desc: "Parameter 'value' is missing" } });
  await expect(startReplay({ schema: "4.0" })).rejects.toThrow('schema "4.0": recorded are 10.0, 11.1, 5.2, 7.2');
});

it("the schema itself can be asked for", async () => {
  await using server = await startReplay({ schema });
  await using client = await wireClient(server.address);
  await client.negotiate();
  expect((await client.ask("query-qmp-schema"))["return"]).toContainEqual(
    expect.objectContaining({ name: "balloon", "meta-type": "command" }),
  );
});
