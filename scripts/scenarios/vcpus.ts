import { failure, has } from "./expect.ts";
import type { Scenarios } from "./scenario.ts";
import { MIB } from "./stage.ts";

/** vCPUs that come and go, and what is in their way. */
export const vcpus: Scenarios = {
  setvcpus: {
    tells: "vCPUs come and go by what the state shows: no DEVICE_DELETED comes for them under TCG",
    through: "library",
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      has(await domain.setVcpus(3, { scope: "dynamic" }), {
        outcome: "applied",
        changes: [{ dynamic: { before: 1, actual: 3 } }],
        steps: [{ sends: /^device_add/ }, { sends: /^device_add/ }],
      });
      await guest.until({ cpus: 3 });
      has(await domain.setVcpus(2, { scope: "dynamic" }), {
        outcome: "applied",
        changes: [{ dynamic: { before: 3, actual: 2 } }],
        steps: [{ sends: 'device_del {"id":"vcpu2"}' }],
      });
      await guest.until({ cpus: 2 });
      has(await config(), { vcpus: { current: 1 } });
      has(await domain.diff(), { 2: { resource: "vcpus", config: 1, live: 2, why: /^changed on one side only/ } });
    },
  },

  "setvcpus-both": {
    tells: "vCPUs of the start go too, by their QOM paths, in both halves: what libvirt 9 fails at",
    through: "program",
    setting: { vcpus: { current: 3 } },
    play: async ({ domain, guest, cli, config }) => {
      await domain.start();
      await guest.booted();
      await guest.until({ cpus: 3 });
      has(await cli(["setvcpus", "web1", "1", "--dynamic", "--static"]), { code: 0, stderr: "" });
      await guest.until({ cpus: 1 });
      has(await config(), { vcpus: { max: 4, current: 1 } });
      has(await domain.diff(), { 2: { resource: "vcpus", config: 1, live: 1, why: null } });
    },
  },

  "setvcpus-refused-by-guest": {
    tells: "the guest refuses to let go of vCPUs: both halves as before, memory too, in the guest's words",
    through: "library",
    setting: { vcpus: { current: 3 }, guest: { words: ["qmpctl.unplug=refuse"] } },
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      const before = await domain.config();
      const error = await failure(
        domain.change(
          [
            { resource: "memory", size: 400 * MIB },
            { resource: "vcpus", count: 1 },
          ],
          { scope: "both" },
        ),
        "rolled-back",
      );
      const back = { static: { outcome: "rolled-back" }, dynamic: { outcome: "rolled-back" } };
      has(error, { message: /the guest refused to let go of vCPU/, report: { outcome: "rolled-back", changes: [back, back] } });
      has([before, await config()], [await domain.config(), { vcpus: { current: 3 }, memory: { current: "512MiB" } }]);
      has(await domain.info(), { live: { vcpus: 3, memory: 512 * MIB } });
    },
  },

  "setvcpus-suspended": {
    tells: "the unplug of a suspended guest waits until it is resumed",
    through: "library",
    setting: { vcpus: { current: 2 } },
    play: async ({ domain, guest }) => {
      await domain.start();
      await guest.booted();
      await domain.suspend();
      has(await domain.setVcpus(1), {
        outcome: "pending",
        changes: [{ dynamic: { outcome: "pending", actual: 2, reason: /the guest is paused/ } }],
      });
      has(await domain.diff(), { 2: { live: 2, why: /^waits for the guest: asked to let go of vCPU 1/ } });
      await failure(domain.setVcpus(3), "refused");
      await domain.resume();
      await guest.until({ cpus: 1 });
      has(await domain.setVcpus(1), { outcome: /^(applied|unchanged)$/, changes: [{ dynamic: { actual: 1 } }] });
    },
  },

  "setvcpus-out-of-range": {
    tells: "more vCPUs than either half has room for: refused, each with its own limit",
    through: "library",
    play: async ({ domain, edit }) => {
      await domain.start({ paused: true });
      await edit((config) => void (config.vcpus.max = 6));
      has(await failure(domain.setVcpus(7, { scope: "both" }), "refused"), {
        report: {
          outcome: "refused",
          refusals: [
            { leg: "static", reason: /vcpus.max 6/ },
            { leg: "dynamic", reason: /the 4 that the running machine has room for/ },
          ],
        },
      });
      await failure(domain.setMaxVcpus(8, { scope: "both" }), "refused");
      has(await domain.info(), { live: { vcpus: 1, maxVcpus: 4 } });
    },
  },

  "setvcpus-paused": {
    tells: "before the guest runs vCPUs can be plugged, and none can be unplugged: refused in both halves",
    through: "library",
    play: async ({ domain, config }) => {
      await domain.start({ paused: true });
      has(await domain.setVcpus(2, { scope: "both" }), { outcome: "applied", changes: [{ dynamic: { actual: 2 } }] });
      has(await failure(domain.setVcpus(1, { scope: "both" }), "refused"), { message: /the guest has not started yet/ });
      has(await config(), { vcpus: { current: 2 } });
      has(await domain.vcpus(), [{ vcpu: 0, online: true }, { vcpu: 1, online: true }, { online: false }, { online: false }]);
    },
  },

  "setvcpus-replug": {
    tells: "a vCPU that was unplugged is plugged again: QEMU 7.2 dies of it under TCG, so it takes --force there",
    through: "library",
    setting: { vcpus: { current: 2 } },
    play: async ({ domain, guest, config, major }) => {
      await domain.start();
      await guest.booted();
      has(await domain.setVcpus(1, { scope: "both" }), { outcome: "applied" });
      await guest.until({ cpus: 1 });
      if (major >= 10)
        return has(await domain.setVcpus(2, { scope: "both" }), { outcome: "applied", changes: [{ dynamic: { actual: 2 } }] });
      has(await failure(domain.setVcpus(2, { scope: "both" }), "refused"), {
        report: { refusals: [{ leg: "dynamic", reason: /dies when vCPU 1/, instead: /--force/ }] },
      });
      const error = await failure(domain.setVcpus(2, { scope: "both", force: true }), "partial");
      has(error, {
        message: /is gone/,
        report: {
          outcome: "failed",
          changes: [{ static: { outcome: "rolled-back", actual: 1 }, dynamic: { outcome: "failed", actual: null } }],
        },
      });
      has(await config(), { vcpus: { current: 1 } });
      has(await domain.info(), { state: "stopped" });
    },
  },

  setvcpu: {
    tells: "chosen vCPUs come and go by number, a start has the config's, and a number fills the gap; QEMU 7.2 is refused a gap under TCG",
    through: "program",
    play: async ({ domain, guest, cli, config, major }) => {
      await domain.start();
      await guest.booted();
      if (major < 10) {
        has(await cli(["setvcpu", "web1", "3", "--enable", "--both"]), { code: 3, stderr: /a guest hangs with vCPU 3 and without vCPU/ });
        has(await cli(["setvcpu", "web1", "1", "--enable", "--both"]), { code: 0 });
        await guest.until({ cpus: 2 });
        return has(await config(), { vcpus: { current: 2 } });
      }
      has(await cli(["setvcpu", "web1", "3", "--enable", "--both"]), { code: 0, stderr: "" });
      await guest.until({ cpus: 2 });
      has(await config(), { vcpus: { current: 2, online: "0,3" } });
      has(await cli(["setvcpu", "web1", "0", "--disable"]), { code: 3, stderr: /vCPU 0 can't be taken away/ });
      has(await cli(["setvcpu", "web1", "3", "--disable"]), { code: 0 });
      await guest.until({ cpus: 1 });
      has(await domain.diff(), { 3: { resource: "vcpus-online", config: "0,3", live: "0" } });
      await domain.destroy();
      await domain.start();
      await guest.booted();
      await guest.until({ cpus: 2 });
      has(await domain.vcpus(), [{ online: true }, { online: false }, { online: false }, { online: true }]);
      has(await cli(["setvcpus", "web1", "3", "--both"]), { code: 0 });
      has(await config(), { vcpus: { current: 3, online: "0-1,3" } });
    },
  },

  setmaxvcpus: {
    tells: "maximum vCPUs is the next start's: refused now, there after a restart",
    through: "program",
    play: async ({ domain, guest, cli }) => {
      await domain.start();
      await guest.booted();
      has(await cli(["setvcpus", "web1", "6", "--maximum"]), { code: 3 });
      has(await cli(["setvcpus", "web1", "6", "--maximum", "--static"]), { code: 0, stdout: /next start/ });
      has(await cli(["restart", "web1"]), { code: 0 });
      has(await domain.info(), { live: { maxVcpus: 6, vcpus: 1 } });
    },
  },
};
