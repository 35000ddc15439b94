import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { QmpctlError } from "../../src/errors.ts";
import { DOMAIN_CALLS, HOST_CALLS } from "../../src/remote/calls.ts";
import { CARRIED } from "../../src/remote/carried-error.ts";
import { connectHost } from "../../src/remote/connection.ts";
import { farProgram } from "../../src/remote/far-program.ts";
import { configText } from "../config/fixtures.ts";
import { ownFolder } from "../config/folder.ts";

const built = (name: string): Uint8Array => readFileSync(new URL(`../../dist/cli/${name}`, import.meta.url));

test("the program that is sent has the name of each class of error that travels: nothing else of it keeps its name", () => {
  const parts = ["first", "more"].map((part) => built(`far-${part}.br`));
  const text = parts.map((part) => brotliDecompressSync(part).toString()).join("");
  const named = new Set([...text.matchAll(/\bstatic name="(\w+)"/g)].map(([, name]) => name));
  expect(CARRIED.filter((name) => !named.has(name))).toEqual([]);
});

/** What calls are given that can't be without: no more than makes them reach what they call. */
const ARGS: Readonly<Record<string, readonly unknown[]>> = {
  change: [[{ resource: "memory", size: 2 ** 29 }]],
  apply: [{ memory: { current: "512MiB" } }],
  recover: ["undo"],
  rewrite: [configText(), configText()],
  define: [{ argv: ["qemu-system-x86_64", "-name", "db1", "-m", "512"] }],
  takeOver: [{ from: "proxmox", text: "/usr/bin/kvm -name db2 -m 512", file: "showcmd" }],
  open: ["web1"],
};

test("each call reaches what it calls in the program that is sent, which the bundler and the build have rewritten", async () => {
  const folder = await ownFolder();
  const home = join(folder, "home");
  await mkdir(join(home, ".config/qmpctl"), { recursive: true, mode: 0o700 });
  await writeFile(join(home, ".config/qmpctl/web1.json"), configText({ emulator: "/nonexistent/qemu" }), { mode: 0o600 });
  const ssh = join(folder, "ssh");
  // No program of the host is found but what holds locks: nothing is touched outside of this folder.
  await symlink(execFileSync("sh", ["-c", "command -v flock"], { encoding: "utf8" }).trim(), join(folder, "flock"));
  const env = `PATH=${folder} HOME=${home} QMPCTL_RUNTIME_DIR=${home}/run QMPCTL_STATE_DIR=${home}/state QMPCTL_CONFIG_DIR=${home}/.config/qmpctl`;
  const program = process.execPath;
  await writeFile(ssh, `#!/bin/sh\nfor last; do :; done; exec env -i ${env} /bin/sh -c "$last"\n`, { mode: 0o755 });
  await using link = await connectHost({ host: "kvm1" }, farProgram(built), { ssh, remoteNode: program });
  const answers = new Map<string, unknown>();
  const ask = async (what: string, domain: string | null): Promise<void> => {
    const options = what === "adopt" || what === "takeOver" ? { dryRun: true } : {};
    const answer = await link.call({ what, domain, args: ARGS[what] ?? [], options }).catch((error: unknown) => error);
    answers.set(domain === null ? `host.${what}` : what, answer);
  };
  for (const what of [...Object.keys(HOST_CALLS), "outcome"]) await ask(what, null);
  // The last one takes the config away.
  for (const what of Object.keys(DOMAIN_CALLS).toSorted((a, b) => Number(a === "undefine") - Number(b === "undefine")))
    await ask(what, "web1");
  const broken = [...answers].filter(([, answer]) => answer instanceof Error && !(answer instanceof QmpctlError));
  expect(broken).toEqual([]);
});
