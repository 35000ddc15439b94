import type { Scope } from "../../src/domain/model/change.ts";
import { failure, has } from "./expect.ts";
import type { Scenarios } from "./scenario.ts";
import { MIB } from "./stage.ts";

/** The balloon, and what can stop it. */
export const memory: Scenarios = {
  setmem: {
    tells: "memory goes down and up, now, and in both halves",
    through: "library",
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      has(await domain.setMemory(300 * MIB, { scope: "dynamic" }), {
        outcome: "applied",
        changes: [{ static: { outcome: "skipped" }, dynamic: { outcome: "applied", before: 512 * MIB, actual: 300 * MIB } }],
      });
      await guest.until({ memory: 300 * MIB });
      has(await config(), { memory: { current: "512MiB" } });
      has(await domain.setMemory(300 * MIB, { scope: "dynamic" }), { outcome: "unchanged" });
      has(await domain.setMemory(512 * MIB), { outcome: "applied", changes: [{ dynamic: { actual: 512 * MIB } }] });
      has(await domain.setMemory(400 * MIB, { scope: "both" }), {
        outcome: "applied",
        changes: [{ static: { outcome: "applied" }, dynamic: { outcome: "applied", actual: 400 * MIB } }],
      });
      await guest.until({ memory: 400 * MIB });
      has(await config(), { memory: { max: "512MiB", current: "400MiB" } });
      has(await domain.info(), { state: "running", live: { memory: 400 * MIB }, config: { memory: 400 * MIB } });
    },
  },

  "setmem-no-driver": {
    tells: "a guest without a balloon driver does not react: pending, with target and actual value; the static half is committed",
    through: "library",
    setting: { guest: { words: ["qmpctl.balloon=off"] } },
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      has(await domain.setMemory(300 * MIB, { scope: "both", timeout: 500 }), {
        outcome: "pending",
        changes: [
          {
            static: { outcome: "applied" },
            dynamic: { outcome: "pending", wanted: 300 * MIB, actual: 512 * MIB, reason: /balloon driver/ },
          },
        ],
      });
      has(await config(), { memory: { current: "300MiB" } });
      has(await domain.diff(), { 0: { resource: "memory", config: 300 * MIB, live: 512 * MIB, why: /^waits for the guest/ } });
    },
  },

  "setmem-no-device": {
    tells: "there is no balloon device: nothing is touched, and the message names the device to add",
    through: "program",
    setting: { guest: { balloonDevice: false } },
    play: async ({ domain, cli, config }) => {
      await domain.start({ paused: true });
      const { code, stderr, stdout } = await cli(["setmem", "web1", "300MiB", "--dynamic", "--static"]);
      has({ code, text: stdout + stderr }, { code: 3, text: /virtio-balloon-pci/ });
      has(await config(), { memory: { current: "512MiB" } });
      // The QEMU command itself, with QEMU's own error.
      has(await cli(["qmp", "web1", "balloon", "value=314572800"]), { code: 1, stderr: /No balloon device has been activated/ });
    },
  },

  setmaxmem: {
    tells: "maximum memory needs a start: refused now, changed after a restart",
    through: "library",
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      has(await failure(domain.setMaxMemory(640 * MIB, { scope: "both" }), "refused"), { report: { refusals: [{ leg: "dynamic" }] } });
      has(await domain.setMaxMemory(640 * MIB, { scope: "static" }), { outcome: "applied", notes: [/next start/] });
      has(await domain.info(), { live: { maxMemory: 512 * MIB }, config: { maxMemory: 640 * MIB } });
      has(await config(), { memory: { max: "640MiB", current: "512MiB" } });
      await domain.restart();
      await guest.booted();
      has(await domain.info(), { live: { maxMemory: 640 * MIB } });
    },
  },

  "memory-period": {
    tells:
      "the guest is asked as often as is wanted, in both halves and after a restart; memstat has what it said, and nothing of a guest without a driver",
    through: "library",
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      const every = (seconds: number, scope: Scope) => domain.change({ resource: "memory-period", seconds }, { scope });
      has(await every(10, "both"), {
        outcome: "applied",
        changes: [{ static: { outcome: "applied", before: 5, actual: 10 }, dynamic: { outcome: "applied", before: 5, actual: 10 } }],
      });
      has(await config(), { memory: { period: 10 } });
      has(await every(0, "dynamic"), { outcome: "applied" });
      // What matters is asked all the same, and what was wanted stays.
      has(await domain.setMemory(400 * MIB), { outcome: "applied" });
      const memory = await domain.memory();
      has(memory, { balloon: { actual: 400 * MIB, target: 400 * MIB }, guest: { period: 0 }, why: /does not ask the guest/ });
      has(typeof memory.guest?.figures["free-memory"], "number");
      has(await domain.revert({ resource: "memory-period" }), { outcome: "applied", changes: [{ dynamic: { before: 0, actual: 10 } }] });
      await domain.destroy();
      await domain.start({ paused: true });
      has(await domain.memory(), { guest: null, why: /no driver/ });
      has(await every(10, "dynamic"), { outcome: "unchanged" });
    },
  },

  "setmem-killed": {
    tells: "QEMU is killed while a change waits for its guest: the report says that it is gone, and the config is as before",
    through: "library",
    setting: { guest: { words: ["qmpctl.balloon=off"] } },
    play: async ({ domain, guest, config }) => {
      const { pid } = await domain.start();
      await guest.booted();
      let killed = false;
      // On a slow host there is progress before the change starts too, while it waits for QEMU.
      const onProgress = ({ what }: { readonly what: string }): void => {
        if (what !== "memory") return;
        if (!killed) end(pid);
        killed = true;
      };
      const error = await failure(domain.setMemory(300 * MIB, { scope: "both", timeout: 10_000, onProgress }), "partial");
      has(error, {
        message: /is gone/,
        report: {
          outcome: "failed",
          changes: [{ static: { outcome: "rolled-back", actual: 512 * MIB }, dynamic: { outcome: "failed", actual: null } }],
        },
      });
      has(await config(), { memory: { current: "512MiB" } });
      has(await domain.info(), { state: "stopped" });
    },
  },
};

/** Kills a process. In a replay it may have ended already, as in the recording. */
function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as { readonly code?: string }).code !== "ESRCH") throw error;
  }
}
