/// <reference lib="esnext.disposable" />
import { env, execPath } from "node:process";
import { configOn } from "../lab/host-machines.ts";
import { startHosts } from "../lab/hosts.ts";
import { privateFolder } from "../lab/machine.ts";
import type { Shown } from "./console.ts";
import { PROGRAM, programIn, runInShell } from "./play.ts";

/** Logins with less than all, as REMOTE.md tells of: what `qmpctl serve` is given for each. */
const LESS: Readonly<Record<string, string>> = {
  monitoring: "--read-only",
  web: "--verbs setmem,diff --domains 'web*'",
  "web-admin": "--domains 'web*'",
};

/** Four hosts with a real sshd, host1 to host4, each with a stopped domain web1; and the sessions of pages there. */
export interface PageHosts extends AsyncDisposable {
  /** Runs a session. Resolves with the real outputs. */
  play(session: readonly Shown[]): Promise<readonly Shown[]>;
}

/** Starts them. @throws Error when a host does not come up */
export async function openPageHosts(): Promise<PageHosts> {
  const own = await privateFolder("qmp-");
  const logins = Object.fromEntries(Object.keys(LESS).map((name) => [name, { shell: "/bin/sh" }]));
  const sshd = Object.entries(LESS).flatMap(([name, limits]) => [
    `Match User ${name}`,
    `  ForceCommand ${execPath} ${PROGRAM} serve ${limits}`,
  ]);
  const hosts = await startHosts(4, { logins, sshd });
  await Promise.all(hosts.all.map((host) => configOn(host, "web1")));
  const variables = { ...env, QMPCTL_SSH: hosts.ssh, PATH: `${await programIn(own.path)}:${env["PATH"] ?? ""}` };
  const asShown = (text: string): string =>
    hosts.all.reduce((said, { folder }) => said.replaceAll(`${folder}/config`, "/etc/qmpctl"), text);
  return {
    async play(session) {
      const told: Shown[] = [];
      for (const shown of session) told.push({ ...shown, said: asShown(await runInShell(shown.command, own.path, variables)).trimEnd() });
      return told;
    },
    async [Symbol.asyncDispose]() {
      await hosts[Symbol.asyncDispose]();
      await own[Symbol.asyncDispose]();
    },
  };
}
