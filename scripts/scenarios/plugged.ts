import type { Domain } from "../../src/index.ts";
import { failure, has } from "./expect.ts";
import type { Scenarios } from "./scenario.ts";
import { MIB } from "./stage.ts";

/** 512 MiB of virtio-mem, which the machine starts without. */
const VIRTIO_MEM: readonly string[] = [
  "-object",
  "memory-backend-ram,id=vm0-ram,size=512M",
  "-device",
  "virtio-mem-pci,id=vm0,memdev=vm0-ram",
];
/** A machine of 256 MiB, with room for more. */
const SMALL = { max: "256MiB", current: "256MiB", hotplug: { slots: 2, limit: "4GiB" } };

const gives = (mib: number) => ({ resource: "memory-plugged", id: "vm0", size: mib * MIB }) as const;
const dimm = (id: string, mib: number, node = 0) => ({ resource: "dimm", id, size: mib * MIB, node }) as const;

/** Memory beyond the balloon. */
export const plugged: Scenarios = {
  "virtio-mem": {
    tells:
      "virtio-mem grows and shrinks in both halves; a guest that does not run goes there later; after a reset it gives nothing for a while",
    through: "library",
    setting: { memory: SMALL, args: VIRTIO_MEM },
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      has(await domain.change(gives(128), { scope: "both" }), {
        outcome: "applied",
        changes: [{ static: { outcome: "applied", actual: 128 * MIB }, dynamic: { outcome: "applied", before: 0, actual: 128 * MIB } }],
      });
      await guest.until({ more: 128 * MIB });
      has(await config(), { memory: { plugged: { vm0: "128MiB" } } });
      has(await failure(domain.change(gives(131)), "refused"), { message: /131MiB is no multiple of 2MiB/ });
      has(await failure(domain.change(gives(1024)), "refused"), { message: /above the 512MiB of memory behind virtio-mem vm0/ });
      has(await domain.change(gives(64)), { outcome: "applied", changes: [{ dynamic: { before: 128 * MIB, actual: 64 * MIB } }] });
      await guest.until({ more: 64 * MIB });
      has(await domain.revert({ resource: "memory-plugged" }), { outcome: "applied" });

      // QEMU keeps what it was asked for, so it outlives the command that asked.
      await domain.suspend();
      has(await domain.change(gives(0)), {
        outcome: "pending",
        changes: [{ dynamic: { actual: 128 * MIB, reason: /the guest is paused/ } }],
      });
      has(await rowOf(domain, "memory-plugged vm0"), { live: 128 * MIB, why: /^waits for the guest: asked to go to 0B; / });
      await domain.resume();
      await guest.until({ more: 0 });
      has(await domain.change(gives(128)), { outcome: "applied" });

      await domain.reset();
      has(await rowOf(domain, "memory-plugged vm0"), { config: 128 * MIB, live: 0, why: /a reset takes away all that it gave$/ });
      has(await domain.persist({ resource: "memory-plugged" }), { outcome: "unchanged" });
      has(await domain.change(gives(128)), { outcome: /^(applied|unchanged)$/ });
      has(await rowOf(domain, "memory-plugged vm0"), { live: 128 * MIB, why: null });
    },
  },

  "virtio-mem-no-driver": {
    tells:
      "a guest without a driver of virtio-mem takes nothing: pending, and what it waits for is known to the next command and after a restart",
    through: "library",
    setting: { memory: SMALL, args: VIRTIO_MEM, guest: { append: "module_blacklist=virtio_mem" } },
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      has(await domain.change(gives(128), { scope: "both", timeout: 500 }), {
        outcome: "pending",
        changes: [
          { static: { outcome: "applied" }, dynamic: { outcome: "pending", actual: 0, reason: /no driver in the guest works it/ } },
        ],
      });
      has(await config(), { memory: { plugged: { vm0: "128MiB" } } });
      const waits = { live: 0, why: /^waits for the guest: asked to go to 128MiB; no driver in the guest/ };
      has(await rowOf(domain, "memory-plugged vm0"), waits);
      await domain.destroy();
      await domain.start({ paused: true });
      has(await rowOf(domain, "memory-plugged vm0"), { ...waits, why: /^waits for the guest: asked to go to 128MiB; / });
    },
  },

  dimms: {
    tells: "DIMMs come and go in both halves, each on memory of its own; what QEMU refuses leaves nothing behind; a start has the config's",
    through: "library",
    setting: { memory: SMALL },
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      const before = (await config()).args;
      has(await domain.change(dimm("dimm1", 128), { scope: "both" }), {
        outcome: "applied",
        changes: [{ static: { outcome: "applied" }, dynamic: { outcome: "applied", before: 0, actual: 128 * MIB } }],
      });
      await guest.until({ more: 128 * MIB });
      has((await config()).args.slice(-4), ["-object", /^memory-backend-ram,id=dimm1-ram,/, "-device", /^pc-dimm,id=dimm1,/]);
      // The memory behind it is there already when QEMU refuses the DIMM.
      has(await failure(domain.change(dimm("dimm2", 128, 5)), "rolled-back"), { message: /node/ });
      has(await backends(domain), ["dimm1-ram"]);
      has(await failure(domain.change(dimm("dimm2", 8192)), "refused"), { message: /room for 4GiB/ });
      has(await domain.change(dimm("dimm2", 128)), { outcome: "applied" });
      has(await backends(domain), ["dimm1-ram", "dimm2-ram"]);
      await guest.until({ more: 256 * MIB });
      has(await failure(domain.change(dimm("dimm3", 128)), "refused"), { message: /2 slots for DIMMs, and this would be number 3/ });
      has(await domain.revert({ resource: "dimm" }), { outcome: "applied" });
      await guest.until({ more: 128 * MIB });
      has(await backends(domain), ["dimm1-ram"]);
      await domain.destroy();
      await domain.start({ paused: true });
      has(await domain.info(), { live: { dimms: 128 * MIB } });
      has(await failure(domain.change(dimm("dimm1", 0), { scope: "both" }), "refused"), { message: /the guest has not started yet/ });
      has(await domain.change(dimm("dimm1", 0), { scope: "static" }), { outcome: "applied" });
      has(await config(), { args: before });
    },
  },

  "dimms-refused-by-guest": {
    tells: "the guest refuses to let go of a DIMM: both halves as before, in the guest's words",
    through: "program",
    setting: { memory: SMALL, guest: { words: ["qmpctl.unplug=refuse"] } },
    play: async ({ domain, guest, cli, config }) => {
      await domain.start();
      await guest.booted();
      has(await cli(["plugmem", "web1", "128M", "--both"]), { code: 0, stderr: "" });
      await guest.until({ more: 128 * MIB });
      const before = await config();
      has(await cli(["unplugmem", "web1", "dimm1", "--both"]), {
        code: 1,
        stderr: /refused to let go of DIMM dimm1 .*everything is as it was/,
      });
      has([before], [await config()]);
      has(await domain.info(), { live: { dimms: 128 * MIB } });
    },
  },

  "dimms-unanswered": {
    tells: "a guest without ACPI never answers: pending, the config has what was asked for, and diff says what it waits for",
    through: "library",
    setting: { memory: SMALL, guest: { append: "acpi=off" } },
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      has(await domain.change(dimm("dimm1", 128), { scope: "both" }), { outcome: "applied" });
      has(await domain.change(dimm("dimm1", 0), { scope: "both", timeout: 500 }), {
        outcome: "pending",
        changes: [
          { static: { outcome: "applied" }, dynamic: { outcome: "pending", actual: 128 * MIB, reason: /has not let go of it yet/ } },
        ],
      });
      has(
        (await config()).args.filter((word) => word.includes("dimm1")),
        [],
      );
      has(await rowOf(domain, "dimm dimm1"), { config: 0, live: 128 * MIB, why: /^waits for the guest: asked to let go of it; / });
      has(await failure(domain.change(dimm("dimm1", 128)), "refused"), { message: /QEMU can't take that back/ });
      has(await domain.revert({ resource: "dimm", timeout: 500 }), { outcome: "pending" });
    },
  },
};

/** One row of `diff`. */
async function rowOf(domain: Domain, resource: string): Promise<unknown> {
  return (await domain.diff()).find((row) => row.resource === resource);
}

/** The memory behind DIMMs, in use or not, as QEMU has it. */
async function backends(domain: Domain): Promise<readonly string[]> {
  await using session = await domain.connect();
  const objects = await session.execute("qom-list", { path: "/objects" });
  return objects
    .map(({ name }) => name)
    .filter((name) => name.endsWith("-ram"))
    .sort();
}
