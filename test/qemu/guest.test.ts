import { describe, expect, test } from "vitest";
import { bootGuest, chooseModernCpuHotplug, type Guest } from "../../scripts/lab/guest.ts";
import { launch, NO_GUEST, type Qemu, qemus, qemusInTime } from "../../scripts/lab/machine.ts";

const MIB = 2 ** 20;
/** ACPI's number for "a request to eject", in what the guest reports of it; its status 0 is success. */
const EJECTION = 3;

// What every other test on real QEMU stands on: that the guest does as it is asked, and says so.
describe.each(await qemusInTime())("the test guest on QEMU $version", (qemu) => {
  test("follows the balloon, DIMMs and CPUs", async () => {
    await using guest = await bootGuest(qemu);
    if (qemu.major < 6) await chooseModernCpuHotplug(guest.ask);
    const { cpus, memTotal: before } = await guest.next();
    expect(cpus).toBe(1);

    // The balloon first: QEMU counts its pages from the RAM there is at that moment, and a DIMM on its way out is still in it.
    await guest.ask("balloon", { value: 300 * MIB });
    const small = before - 212 * MIB;
    await guest.until((report) => report.memTotal === small);

    await plugDimm(guest, qemu);
    await guest.until((report) => report.memTotal >= small + 256 * MIB);
    await guest.ask("device_del", { id: "dimm1" });
    await guest.until((report) => report.memTotal === small);

    // Last, because QEMU 7.2 under TCG may die of a segmentation fault at any time after a vCPU was unplugged.
    await plugCpu(guest);
    await guest.until((report) => report.cpus === 2);
    await guest.ask("device_del", { id: "vcpu1" });
    await guest.until((report) => report.cpus === 1);
  });

  test("is worse when told to be", async () => {
    const words = ["qmpctl.balloon=off", "qmpctl.powerbutton=ignore", "qmpctl.unplug=refuse"] as const;
    await using guest = await bootGuest(qemu, { words });
    if (qemu.major < 6) await chooseModernCpuHotplug(guest.ask);
    const { memTotal: before } = await guest.next();

    await plugCpu(guest);
    await plugDimm(guest, qemu);
    await guest.until((report) => report.cpus === 2 && report.memTotal >= before + 256 * MIB);
    const { memTotal } = await guest.next();

    await guest.ask("system_powerdown");
    await guest.ask("balloon", { value: 300 * MIB });
    for (const id of ["vcpu1", "dimm1"]) {
      await guest.ask("device_del", { id });
      await guest.seen("ACPI_DEVICE_OST", ({ info }) => info.device === id && info.source === EJECTION && info.status !== 0);
    }
    await guest.next();
    expect(await guest.next()).toMatchObject({ cpus: 2, memTotal });
  });

  test("leaves a plugged CPU offline when told to, and follows the power button", async () => {
    await using guest = await bootGuest(qemu, { words: ["qmpctl.online=off"] });
    if (qemu.major < 6) await chooseModernCpuHotplug(guest.ask);
    await plugCpu(guest);
    await guest.next();
    expect((await guest.next()).cpus).toBe(1);

    await guest.ask("system_powerdown");
    expect(await guest.exited).toEqual({ code: 0, signal: null, stderr: "" });
  });
});

test("QEMU 5.2 under TCG tells its guest nothing of a plugged CPU until the newer interface is chosen for it", async ({ skip }) => {
  const old = (await qemus()).find(({ major }) => major === 5);
  if (!old) return skip("no QEMU 5.2 here: npm run testbed");
  await using guest = await bootGuest(old);
  await plugCpu(guest);
  await expect(guest.ask("device_del", { id: "vcpu1" })).rejects.toThrow("unplug request for not supported device type");
  await guest.next();
  expect((await guest.next()).cpus).toBe(1);
});

describe("launch", () => {
  test("rejects with QEMU's own words when it can't start", async () => {
    const [qemu] = await qemus();
    await expect(launch(qemu?.binary ?? "", ["-machine", "nonsense"])).rejects.toThrow(/unsupported machine type/);
  });

  test("leaves no process behind", async () => {
    const [qemu] = await qemus();
    const machine = await launch(qemu?.binary ?? "", NO_GUEST);
    await machine[Symbol.asyncDispose]();
    expect(() => process.kill(machine.pid, 0)).toThrow("ESRCH");
    expect((await machine.exited).signal).toBe("SIGKILL");
  });
});

async function plugCpu(guest: Guest): Promise<void> {
  await guest.ask("device_add", { driver: "max-x86_64-cpu", id: "vcpu1", "socket-id": 0, "core-id": 1, "thread-id": 0 });
}

async function plugDimm(guest: Guest, qemu: Qemu): Promise<void> {
  const size = 256 * MIB;
  // QEMU 5.2 wraps an object's properties.
  await guest.ask("object-add", { "qom-type": "memory-backend-ram", id: "ram1", ...(qemu.major < 6 ? { props: { size } } : { size }) });
  await guest.ask("device_add", { driver: "pc-dimm", id: "dimm1", memdev: "ram1" });
}
