/// <reference lib="esnext.disposable" />
import { join } from "node:path";
import { type GuestConsole, openConsole } from "./console.ts";
import { launch, type Machine, privateFolder, type Qemu, testbedFolder } from "./machine.ts";

export { openConsole, type GuestConsole, type GuestReport } from "./console.ts";

/** Makes the guest misbehave, see scripts/testbed/init.sh. */
export type GuestWord =
  | "qmpctl.balloon=off"
  | "qmpctl.powerbutton=ignore"
  | "qmpctl.online=off"
  | "qmpctl.unplug=refuse"
  | "qmpctl.agent=off"
  | "qmpctl.disk=on"
  | "qmpctl.drives=on";

/** Differences from the standard guest. */
export interface GuestOptions {
  /** The value of `-m`. */
  readonly memory?: string;
  /** The value of `-smp`. */
  readonly smp?: string;
  readonly machine?: string;
  readonly balloonDevice?: boolean;
  readonly words?: readonly GuestWord[];
  /** The path of a socket for its guest agent, which listens there: only such a guest has one. */
  readonly agent?: string;
  /** More words for the kernel's command line. */
  readonly append?: string;
}

/** A booted machine, with the output of its guest. */
export interface Guest extends Machine, Pick<GuestConsole, "says" | "until" | "latest" | "next"> {
  readonly console: GuestConsole;
}

/** QEMU's arguments for a guest, without memory and processors: those that a launch config has in `args`. */
export function bootArgs(options: GuestOptions = {}): readonly string[] {
  const folder = join(testbedFolder(), "guest");
  const words = ["console=ttyS0", "quiet", "panic=-1", ...(options.words ?? []), options.append ?? ""];
  return [
    ...["-machine", options.machine ?? "q35,accel=tcg", "-cpu", "max"],
    ...[
      "-kernel",
      join(folder, "vmlinuz"),
      "-initrd",
      join(folder, options.agent === undefined ? "initrd.gz" : "initrd-agent.gz"),
      "-append",
      words.join(" ").trim(),
    ],
    ...(options.balloonDevice === false ? [] : ["-device", "virtio-balloon-pci,id=balloon0"]),
    ...(options.agent === undefined ? [] : agentArgs(options.agent)),
  ];
}

/** QEMU's arguments for the channel of a guest agent, as its documents have them. */
export function agentArgs(path: string): readonly string[] {
  const port = "virtserialport,chardev=agent0,name=org.qemu.guest_agent.0";
  return ["-device", "virtio-serial-pci", "-chardev", `socket,path=${path},server=on,wait=off,id=agent0`, "-device", port];
}

/** QEMU's arguments for the standard guest, without console and monitors. */
export function guestArgs(options: GuestOptions = {}): readonly string[] {
  const smp = options.smp ?? "cpus=1,maxcpus=4,sockets=1,cores=4,threads=1";
  return ["-m", options.memory ?? "size=512M,slots=4,maxmem=4G", "-smp", smp, ...bootArgs(options)];
}

/**
 * Makes CPU hotplug work on QEMU 5.2 under TCG. Its ACPI tables choose the newer of two interfaces with a four-byte write, which this QEMU
 * ignores. A write of one byte from outside works. For q35, after the guest's start.
 */
export async function chooseModernCpuHotplug(ask: Machine["ask"]): Promise<void> {
  await ask("human-monitor-command", { "command-line": "o /b 0xcd8 0" });
}

/** Starts a guest on this QEMU and waits for its first report, unless `options` say not to: with `-S` there is none. */
export async function bootGuest(
  qemu: Qemu,
  options: GuestOptions & { readonly monitors?: number; readonly args?: readonly string[]; readonly wait?: boolean } = {},
): Promise<Guest> {
  const folder = await privateFolder();
  const console = await openConsole(folder.path);
  const tidy = async (): Promise<void> => {
    await console[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  try {
    const args = [...guestArgs(options), ...console.args, ...(options.args ?? [])];
    const machine = await launch(qemu.binary, args, { folder: folder.path, monitors: options.monitors ?? 1 });
    const dispose = async (): Promise<void> => {
      await machine[Symbol.asyncDispose]();
      await tidy();
    };
    const guest = { ...machine, console, ...voiceOf(console), [Symbol.asyncDispose]: dispose };
    if (options.wait !== false)
      await Promise.race([console.next(), failureOf(machine)]).catch((error) =>
        dispose().finally(() => {
          throw error;
        }),
      );
    return guest;
  } catch (error) {
    await tidy();
    throw error;
  }
}

async function failureOf(machine: Machine): Promise<never> {
  const { code, signal, stderr } = await machine.exited;
  throw new Error(`QEMU ended (${signal ?? code}) before the guest was up: ${stderr}`);
}

function voiceOf(console: GuestConsole): Pick<GuestConsole, "says" | "until" | "latest" | "next"> {
  return {
    says: console.says.bind(console),
    until: console.until.bind(console),
    latest: console.latest.bind(console),
    next: console.next.bind(console),
  };
}
