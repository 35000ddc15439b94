import { expect, test } from "vitest";
import { qemuWords } from "../../src/cli/qemu-words.ts";
import { play, reportOf } from "./scene.ts";

const NAMES = ["device", "netdev"];

test.each([
  ["web -device x,id=a --both", ["web", "--both"], ["-device", "x,id=a"]],
  ["--live web --netdev user,id=n -device -x", ["--live", "web"], ["-netdev", "user,id=n", "-device", "-x"]],
  ["web -- -device x", ["web", "--", "-device", "x"], undefined],
  ["web -devices x", ["web", "-devices", "x"], undefined],
])("%s", (line, own, qemu) => expect(qemuWords(line.split(" "), NAMES)).toEqual({ own, qemu }));

test("an option of QEMU's without its value is named", () => {
  expect(qemuWords(["web", "-device"], NAMES)).toMatchObject({ open: "device" });
  expect(qemuWords(["web", "-device", "--", "x"], NAMES)).toMatchObject({ open: "device" });
});

test("attach takes QEMU's words anywhere, gives an id where there is none, and says so", async () => {
  const asked: unknown[] = [];
  const domain = {
    change: async (wanted: unknown, { scope }: { scope?: unknown }) => (asked.push([wanted, scope]), reportOf({})),
  } as never;
  const { code, stderr } = await play(["attach", "--both", "web1", "-netdev", "user,id=n", "-device", "e1000,netdev=n"], { domain });
  expect([code, asked]).toEqual([0, [[expect.objectContaining({ id: expect.stringMatching(/^e1000-[0-9a-f]{4}$/) }), "both"]]]);
  expect(stderr).toContain("its id is e1000-");
  expect((await play(["attach", "web1", "-device"])).stderr).toContain("-device: a value is missing");
  expect((await play(["attach", "web1"])).stderr).toContain("-device: missing");
  expect((await play(["detach", "web1", "nic1"], { domain })).code).toBe(0);
  expect(asked[1]).toEqual([{ resource: "device", id: "nic1", words: "absent" }, "current"]);
});
