import { Domain } from "../../src/index.ts";
import { failure, has } from "./expect.ts";
import type { Scenarios } from "./scenario.ts";
import { MIB } from "./stage.ts";

/** Scenarios about the monitors themselves. */
export const monitor: Scenarios = {
  "busy-monitor": {
    tells: "another client holds the control monitor: reading uses the second one, a change is refused, and nothing counts as stopped",
    through: "library",
    play: async ({ domain, options, config }) => {
      await domain.start({ paused: true });
      const impatient = await Domain.open("web1", { ...options, timeout: 400 });
      {
        await using _holder = await domain.connect();
        // With the usual time: on a loaded host the second monitor takes a while to answer.
        has(await domain.info(), { state: "paused", live: { vcpus: 1 } });
        has(await failure(impatient.setVcpus(2, { scope: "both" }), "refused"), {
          report: { state: "unreachable", refusals: [{ leg: "dynamic" }] },
        });
        has(await failure(impatient.setVcpus(2), "refused"), { report: { state: "unreachable" } });
        has(await config(), { vcpus: { current: 1 } });
      }
      has(await domain.setVcpus(2), { outcome: "applied" });
    },
  },

  transient: {
    tells: "a foreign QEMU, known only by its monitor: live changes work, static ones are refused",
    through: "library",
    play: async ({ domain, options }) => {
      await domain.start({ paused: true });
      const other = await Domain.open(`unix:${options.runtimeDir ?? ""}/web1/control.sock`, options);
      has(await other.setVcpus(2), { outcome: "applied", changes: [{ static: { outcome: "skipped" }, dynamic: { actual: 2 } }] });
      has(await failure(other.setVcpus(3, { scope: "both" }), "refused"), { report: { refusals: [{ leg: "static" }] } });
      has(await other.setMemory(400 * MIB), { outcome: "pending" });
      has(await other.info(), { transient: true, state: "paused", live: { vcpus: 2 } });
      has(await other.destroy(), { how: "destroyed" });
    },
  },

  errors: {
    tells: "QEMU's own refusals, each with its own message",
    through: "library",
    play: async ({ domain, cli }) => {
      await domain.start({ paused: true });
      {
        await using session = await domain.connect();
        const plug = (id: string, core: number, driver: string = TYPE): Promise<unknown> =>
          session.execute("device_add", { driver, id, "core-id": core, "socket-id": 0, "thread-id": 0 });
        await plug("vcpu2", 2);
        await refused(plug("vcpu3", 2), /CPU\[2\] with APIC ID 2 exists/);
        await refused(plug("vcpu2", 3), /Duplicate device ID 'vcpu2'/);
        await refused(plug("vcpu9", 9), /Invalid CPU core-id: 9 must be in range 0:3/);
        await refused(plug("vcpu3", 3, "qemu64-x86_64-cpu"), /Invalid CPU type, expected cpu type: 'max-x86_64-cpu'/);
        await refused(plug("vcpu3", 3, "no-such-device"), /'no-such-device' is not a valid device model name/);
        await refused(session.execute("device_del", { id: "vcpu2" }), /device unplug request for not supported device type/);
        for (const [command, args, pattern] of REFUSALS) await refused(session.execute(command, args), pattern);
      }
      has(await cli(["qmp", "web1", "device_del", "id=vcpu7"]), { code: 1, stderr: /Device 'vcpu7' not found/ });
      has(await domain.info(), { live: { vcpus: 2 } });
    },
  },
};

const TYPE = "max-x86_64-cpu";

/** Commands with wrong arguments, and QEMU's answer to each. */
const REFUSALS: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
  ["balloon", { value: 0 }, /Parameter '\w+' expects a size/],
  ["balloon", { value: "text" }, /Invalid parameter type for 'value'/],
  ["balloon", {}, /Parameter 'value' is missing/],
  ["no-such-command", {}, /The command no-such-command has not been found/],
  ["query-status", { surplus: 1 }, /Parameter 'surplus' is unexpected/],
  ["qom-get", { path: "/machine/nothing", property: "x" }, /not found/],
];

async function refused(call: Promise<unknown>, words: RegExp): Promise<void> {
  has(await failure(call, "command"), { message: words });
}
