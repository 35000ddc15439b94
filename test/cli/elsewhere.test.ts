import { expect, test } from "vitest";
import { run } from "../../src/cli/command.ts";
import type { Io, There } from "../../src/cli/verb.ts";
import type { Facade } from "../../src/domain/facade.ts";
import { ALONE } from "./alone.ts";
import { ioOf } from "./scene.ts";

/** Runs a command line on another host, and tells which streams it opened, and how the host was asked for. */
async function played(...argv: readonly string[]): Promise<{ readonly opened: readonly string[]; readonly asked: readonly unknown[] }> {
  const paper = ioOf({});
  const opened: string[] = [];
  const asked: unknown[] = [];
  const io: Io = {
    env: paper.env,
    signal: paper.signal,
    stdout: paper.stdout,
    get stderr() {
      opened.push("stderr");
      return paper.stderr;
    },
    get stdin() {
      opened.push("stdin");
      return paper.stdin;
    },
  };
  const domain = { config: async () => "{}", [Symbol.asyncDispose]: async () => {} };
  const host = async (name: string, how: There): Promise<Facade> => {
    asked.push(name, how);
    return { open: async (given: string) => (asked.push(given), domain) } as unknown as Facade;
  };
  expect(await run(argv, { io, facade: {} as Facade, ...ALONE, host, version: async () => "1" })).toBe(0);
  return { opened, asked };
}

test.each([
  [
    ["-H", "kvm1", "config", "web1"],
    ["kvm1", {}, "web1"],
  ],
  [
    ["--host=ssh://kvm1/", "config", "web1"],
    ["kvm1", {}, "web1"],
  ],
  [
    ["config", "ssh://root@kvm1:22/web%31"],
    ["root@kvm1:22", {}, "web1"],
  ],
  [
    ["--installed", "config", "ssh://kvm1/web1"],
    ["kvm1", { installed: true }, "web1"],
  ],
  [
    ["--remote-node=/opt/node", "config", "ssh://[::1]//etc/x.json"],
    ["[::1]", { remoteNode: "/opt/node" }, "/etc/x.json"],
  ],
])("%j opens no stream that it does not use, and asks the host for the domain by its own name", async (argv, asked) => {
  expect(await played(...argv)).toEqual({ opened: [], asked });
});
