import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ReplayServer, startReplay } from "../../src/testing/index.ts";
import { FakeQemu } from "./fake-qemu.ts";
import type { Host } from "./hosts.ts";

/** The address of the running machine that `fakeOn` makes, on its host. */
export const FAKE = "unix:/run/fake.sock";

/** A running machine of a host: a fake one, in this process, which does at once what it is asked for. */
export interface FakeOnHost extends AsyncDisposable {
  readonly qemu: FakeQemu;
}

/** Lets a fake QEMU with 2 GiB answer on a host, at the address `FAKE` there. */
export async function fakeOn({ init }: Host): Promise<FakeOnHost> {
  const qemu = new FakeQemu([0, 0, 0, 0], { name: "fake" });
  // The host's own /run, as it is seen from here.
  const address = `unix:/proc/${init}/root/run/fake.sock`;
  const server: ReplayServer = await startReplay({
    answers: qemu.answers as Record<string, (args: unknown) => unknown>,
    monitors: [{ name: "control", address }],
  });
  return { qemu, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Writes the config of a machine of 64 MiB, which is stopped, on a host. The emulator is the one on the host's PATH. */
export async function configOn({ folder }: Host, name: string): Promise<string> {
  const config = {
    name,
    emulator: "/usr/bin/qemu-system-x86_64",
    memory: { max: "64MiB", current: "64MiB" },
    vcpus: { max: 2, current: 1 },
    args: ["-machine", "q35,accel=tcg", "-nodefaults", "-no-user-config", "-display", "none", "-device", "virtio-balloon-pci,id=balloon0"],
  };
  await mkdir(join(folder, "config"), { recursive: true, mode: 0o700 });
  const path = join(folder, "config", `${name}.json`);
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return path;
}
