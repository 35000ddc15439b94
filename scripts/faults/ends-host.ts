import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Qemu } from "../lab/machine.ts";
import { openScene, type Scene } from "../lab/scene.ts";
import { timersIn } from "../lab/timers.ts";
import { type EndsHost, tryKills } from "./ends.ts";

const MAIN = new URL("../../dist/cli/main.js", import.meta.url).pathname;
const INJECT = new URL("inject.mjs", import.meta.url).href;
/** The kernel's numbers of policies, in field 41 of /proc/PID/stat. Source: sched(7), proc_pid_stat(5). */
const POLICIES: Readonly<Record<string, string>> = { 0: "other", 3: "batch", 5: "idle" };

/** Kills a change with an end at each of its steps, on a real QEMU without a guest, with stand-ins for the host's timers. @throws Broken */
export async function tryEndsOn(qemu: Qemu, say: (line: string) => void): Promise<void> {
  await using scene = await openScene(qemu, { name: "web1" });
  await mkdir(join(scene.folder, "timers"));
  const timers = await timersIn(join(scene.folder, "timers"));
  await scene.start({ paused: true });
  const killed = await tryKills(hostOf(scene), timers, say);
  say(`QEMU ${qemu.version}: killed at ${killed} moments, each resolved in three ways: all held`);
}

function hostOf(scene: Scene): EndsHost {
  const { configDir, runtimeDir, stateDir } = scene.options;
  const folders = { QMPCTL_CONFIG_DIR: configDir, QMPCTL_RUNTIME_DIR: runtimeDir, QMPCTL_STATE_DIR: stateDir };
  return {
    env: { PATH: process.env["PATH"], ...folders },
    async cli(words, { env, fault }) {
      const inject = fault === undefined ? [] : ["--import", INJECT];
      const more = fault === undefined ? {} : { QMPCTL_FAULT: JSON.stringify(fault) };
      const child = spawn(process.execPath, [...inject, MAIN, ...words], { env: { ...env, ...more }, stdio: ["ignore", "pipe", "pipe"] });
      const texts = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
      const [code] = (await once(child, "close")) as [number | null];
      return { code, ...texts };
    },
    async policy() {
      const [{ "thread-id": tid }] = (await scene.ask("query-cpus-fast")) as [{ readonly "thread-id": number }];
      const stat = await readFile(`/proc/${tid}/stat`, "utf8");
      const number = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[38] ?? "";
      return POLICIES[number] ?? number;
    },
  };
}
