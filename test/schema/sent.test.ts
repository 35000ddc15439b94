import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkArguments } from "../../src/schema/validate.ts";
import { readTranscript } from "../../src/testing/transcript/transcript.ts";
import { recorded } from "./recorded.ts";

const PROJECT = new URL("../..", import.meta.url).pathname;

/** One command as the product sends it. */
interface Sent {
  readonly command: string;
  readonly parameters: object | undefined;
}

/**
 * What no transcript shows: mostly the shell, which asks a machine about what can be completed; `quit` is for a machine whose process is
 * not on this host.
 */
const NOT_RECORDED: readonly Sent[] = [
  ["quit"],
  ["query-qmp-schema"],
  ["query-version"],
  ["query-target"],
  ["query-iothreads"],
  ["query-chardev"],
  ["query-block-jobs"],
  ["query-jobs"],
  ["query-block-exports"],
  ["query-block"],
  ["query-command-line-options"],
  ["query-named-block-nodes"],
  ["query-named-block-nodes", { flat: true }],
  ["qom-list-types"],
  ["qom-list-types", { implements: "device", abstract: false }],
  ["device-list-properties", { typename: "e1000" }],
  ["human-monitor-command", { "command-line": "info status" }],
  ["system_wakeup"],
  // Where there is some that was plugged.
  ["query-memory-devices"],
].map(([command, parameters]) => ({ command: command as string, parameters: parameters as object | undefined }));

/** Sources that speak to another program than QEMU. */
const OTHER_PROGRAMS: ReadonlySet<string> = new Set([
  "qmp/guest-agent.ts",
  "domain/facts/guest-agent.ts",
  "domain/resources/guest-vcpus-step.ts",
  // It asks for what is asked of hosts and domains.
  "cli/fleet/rehearsal.ts",
]);

/** Transcripts of conversations that a script held with QEMU, some of them wrong on purpose: the product said none of it. */
const NOT_OURS = /\/(wire-|errors\/)/;

async function sentInTranscripts(): Promise<readonly Sent[]> {
  const folder = join(PROJECT, "fixtures/qmp");
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".qmp") && !NOT_OURS.test(name));
  const sent = new Map<string, Sent>();
  for (const name of names) {
    for (const entry of (await readTranscript(join(folder, name))).entries) {
      if (entry.kind !== "client") continue;
      const { execute, "exec-oob": oob, arguments: parameters } = JSON.parse(entry.text) as Readonly<Record<string, never>>;
      const command = String(execute ?? oob);
      // Asked of the guest's agent, beside QEMU.
      if (command.startsWith("guest-")) continue;
      sent.set(`${command} ${JSON.stringify(parameters)}`, { command, parameters });
    }
  }
  return [...sent.values()];
}

/** The commands that stand in the product's sources, with the file that sends them. */
async function sentInSources(): Promise<ReadonlyMap<string, string>> {
  const folder = join(PROJECT, "src");
  const sent = new Map<string, string>();
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith(".ts") || name.startsWith("schema/generated/") || OTHER_PROGRAMS.has(name)) continue;
    const text = await readFile(join(folder, name), "utf8");
    for (const [, command = ""] of text.matchAll(/^(?! *(?:\*|\/\/)).*?\b(?:execute|executeOob|ask)\(\s*"([\w-]+)"/gm))
      sent.set(command, name);
    for (const [, command = ""] of text.matchAll(/"execute":\s*"([\w-]+)"|\bexecute: "([\w-]+)"/g)) sent.set(command, name);
  }
  return sent;
}

const transcripts = await sentInTranscripts();
const sources = await sentInSources();
const all = [...transcripts, ...NOT_RECORDED];

describe("what is looked at", () => {
  test("is what the product sent to real QEMUs, of every kind", () => {
    expect([...new Set(transcripts.map(({ command }) => command))]).toEqual(
      expect.arrayContaining(["qmp_capabilities", "device_add", "device_del", "balloon", "qom-set", "cont"]),
    );
  });

  test("is every command that the sources name", () => {
    const known = new Set(all.map(({ command }) => command));
    expect(sources.size).toBeGreaterThan(20);
    expect([...sources].filter(([command]) => !known.has(command))).toEqual([]);
  });
});

// Today no recorded QEMU lacks a command that is sent. One that does belongs into a list here, with the reason why that is well.
describe.each([...recorded])("QEMU %s takes what the product sends", (_name, { introspection }) => {
  test.each(all.map(({ command, parameters }) => [command, JSON.stringify(parameters) ?? "", parameters] as const))(
    "%s %s",
    (command, _text, parameters) => {
      expect(checkArguments(introspection, command, parameters)).toEqual([]);
    },
  );
});
