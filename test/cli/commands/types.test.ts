import { describe, expect, test } from "vitest";
import { faultsIn } from "../../schema/type-check.ts";
import { recorded } from "../../schema/recorded.ts";
import { monitorOf, play } from "../scene.ts";

/** A machine that answers what it is asked about itself as one that was recorded. */
function machineOf(name: string): { readonly connect: () => Promise<ReturnType<typeof monitorOf>> } {
  const recording = recorded.get(name);
  const [major, minor, micro] = (recording?.qemu ?? "").split(".").map(Number);
  const answers: Readonly<Record<string, unknown>> = {
    "query-qmp-schema": recording?.schema,
    "query-version": { qemu: { major, minor, micro }, package: "" },
    "query-target": { arch: recording?.arch },
  };
  return { connect: async () => ({ ...monitorOf([]), execute: async (command: string) => answers[command] }) };
}

describe("types", () => {
  test.each([...recorded.keys()])("prints a file that needs no other, for QEMU %s", { timeout: 60_000 }, async (name) => {
    const { code, stdout, opened } = await play(["types", "web1"], { machine: machineOf(name) });
    expect([code, opened]).toEqual([0, ["web1"]]);
    expect(stdout).toContain(`QEMU ${recorded.get(name)?.qemu}, ${recorded.get(name)?.arch}, says of itself`);
    const use = 'export const status: QemuCommands["query-status"]["returns"]["status"] = "running";';
    expect(await faultsIn([...stdout.split("\n"), use])).toEqual([]);
  });

  test.each<[readonly string[], string]>([
    [[], "DOMAIN: missing"],
    [["web1", "--emulator", "qemu"], "web1: give a DOMAIN or --emulator, not both"],
    [["web1", "web2"], '"web2": one operand too many'],
  ])("%j is no use of it", async (argv, message) => {
    const { code, stdout, stderr } = await play(["types", ...argv]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });
});
