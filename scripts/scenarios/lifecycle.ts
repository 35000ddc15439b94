import { failure, has } from "./expect.ts";
import { hostCpus, maskOf } from "./pins.ts";
import type { Scenarios } from "./scenario.ts";
import { MIB } from "./stage.ts";

/** Starting, pausing and ending a machine. */
export const lifecycle: Scenarios = {
  start: {
    tells: "a start applies pins and the balloon's target before the guest runs",
    through: "library",
    setting: { memory: { current: "300MiB" }, vcpus: { current: 2 } },
    play: async ({ domain, guest, edit }) => {
      const [one, all] = await hostCpus();
      await edit((config) => void (config.vcpus.pin = { 1: one }));
      has(await domain.start(), { name: "web1", vcpus: 2, memory: 300 * MIB, notes: [/300MiB once its balloon driver is up/] });
      await guest.booted();
      await guest.until({ memory: 300 * MIB, cpus: 2 });
      has([await maskOf(domain.vcpus(), 0), await maskOf(domain.vcpus(), 1)], [all, one]);
      has(await domain.info(), { state: "running", live: { memory: 300 * MIB, maxMemory: 512 * MIB, vcpus: 2, maxVcpus: 4 } });
      has(await domain.diff(), { 0: { resource: "memory", why: null } });
      has(await failure(domain.start(), "refused"), { message: /it runs already/ });
      has(await failure(domain.undefine(), "refused"), { message: /runs/ });
    },
  },

  "start-failing": {
    tells: "QEMU can't start a machine: its own message is shown, and nothing is left behind",
    through: "program",
    setting: { args: ["-device", "no-such-device"] },
    play: async ({ cli, domain }) => {
      has(await cli(["start", "web1"]), { code: 1, stderr: /'no-such-device' is not a valid device model name/ });
      has(await domain.info(), { state: "stopped" });
    },
  },

  "suspend-resume-reset": {
    tells: "a machine is suspended, resumed and reset, always with the same QEMU",
    through: "program",
    play: async ({ cli, domain, guest }) => {
      await domain.start();
      await guest.booted();
      has(await cli(["suspend", "web1"]), { code: 0 });
      has(await domain.info(), { state: "paused" });
      has(await failure(domain.shutdown(), "refused"), { message: /paused/ });
      has(await cli(["resume", "web1"]), { code: 0 });
      const { pid } = await domain.info();
      has(await cli(["reset", "web1"]), { code: 0 });
      has(await domain.info(), { state: "running", pid });
    },
  },

  shutdown: {
    tells: "the guest reacts to the power button and powers off",
    through: "program",
    play: async ({ cli, domain, guest }) => {
      has(await cli(["start", "web1"]), { code: 0 });
      await guest.booted();
      has(await cli(["shutdown", "web1"]), { code: 0, stdout: /the guest powered off/ });
      has(await domain.info(), { state: "stopped" });
      has(await cli(["shutdown", "web1"]), { code: 3 });
    },
  },

  "shutdown-ignored": {
    tells: "the guest ignores the power button: the deadline ends the wait, and destroy is the next command",
    through: "library",
    setting: { guest: { words: ["qmpctl.powerbutton=ignore"] } },
    play: async ({ domain, guest }) => {
      await domain.start();
      await guest.booted();
      has(await failure(domain.shutdown({ timeout: 2000 }), "timeout"), { message: /qmpctl destroy web1/ });
      has(await domain.info(), { state: "running" });
      has(await domain.destroy(), { how: "destroyed" });
      has(await domain.info(), { state: "stopped" });
    },
  },

  "persist-revert": {
    tells: "persist makes the config equal to the live half, revert the live half equal to the config",
    through: "library",
    play: async ({ domain, config }) => {
      await domain.start({ paused: true });
      has(await domain.setVcpus(2, { scope: "dynamic" }), { outcome: "applied" });
      has(await domain.persist(), { outcome: "applied" });
      has(await config(), { vcpus: { current: 2 } });
      has(await domain.setVcpus(3, { scope: "static" }), { outcome: "applied" });
      has(await domain.info(), { live: { vcpus: 2 }, config: { vcpus: 3 } });
      has(await domain.revert(), { outcome: "applied", changes: { 0: { dynamic: { before: 2, actual: 3 } } } });
    },
  },
};
