/// <reference lib="esnext.disposable" />
import { env } from "node:process";
import { configOn } from "../lab/host-machines.ts";
import { startHosts } from "../lab/hosts.ts";
import { privateFolder } from "../lab/machine.ts";
import type { Shown } from "./console.ts";
import { programIn, runInShell } from "./play.ts";

/** Runs a session against three hosts with a real sshd, host1 to host3, each with a stopped domain web1. Resolves with the real outputs. */
export async function playOnHosts(session: readonly Shown[]): Promise<readonly Shown[]> {
  await using own = await privateFolder("qmp-");
  await using hosts = await startHosts(3);
  for (const host of hosts.all) await configOn(host, "web1");
  const variables = { ...env, QMPCTL_SSH: hosts.ssh, PATH: `${await programIn(own.path)}:${env["PATH"] ?? ""}` };
  const told: Shown[] = [];
  for (const shown of session) {
    const said = await runInShell(shown.command, own.path, variables);
    const here = hosts.all.reduce((text, { folder }) => text.replaceAll(`${folder}/config`, "/etc/qmpctl"), said);
    told.push({ ...shown, said: here.trimEnd() });
  }
  return told;
}
