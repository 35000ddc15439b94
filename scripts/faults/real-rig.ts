/// <reference lib="esnext.disposable" />
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import { type OwnGroup, ownGroupFor } from "../lab/cpu-group.ts";
import { DEVICE, deviceWordsIf, PORT_ARGS } from "../lab/fake-devices.ts";
import { DISK, DISK_ARGS, DRIVE_ARGS, limitsText, mediumSeen } from "../lab/fake-disks.ts";
import type { GuestOptions } from "../lab/guest.ts";
import type { Qemu } from "../lab/machine.ts";
import { openScene, type Scene } from "../lab/scene.ts";
import { type Channel, openChannel } from "./agent-channel.ts";
import { IOTHREAD_ARGS, lookAtThreads, lookAtWorkers } from "./look-threads.ts";
import { shareIn } from "./model-cpu.ts";
import { devicesOf, VIRTIO_MEM_ARGS } from "./model-memory.ts";
import { Proxy } from "./proxy.ts";
import { type Ends, type Kind, type Look, maskOf, type Rig } from "./rig.ts";
import type { Tids } from "./tids.ts";

/** Under software emulation, a QEMU can start only a limited number of vCPU threads in its life. This is room for many changes. */
const ROOM = 64;
/** Before this version, an unplugged vCPU can't be plugged again under software emulation. */
const REPLUGS = 10;

/** How long a machine may stay silent before it counts as lost, in milliseconds. */
const PATIENCE = 10_000;

interface Cpu {
  readonly "cpu-index": number;
  readonly "thread-id": number;
}

interface Iothread {
  readonly id: string;
  readonly "thread-id": number;
  readonly "poll-max-ns": number;
}

/** A real machine, with ways to reach it that do not use the product. */
export interface RealRig extends Rig {
  readonly scene: Scene;
  /** The thread of a vCPU. 0: there is none. */
  threadOf(vcpu: number): Promise<number>;
  /** Why the machine is lost: its QEMU is gone or silent, or its guest is silent. Null: it works. */
  whyLost(): Promise<string | null>;
}

/** This guest panics because a busy host gave it too little time. That says nothing about the product. */
const PATIENT = "no_timer_check";

/** An iothread and a virtio-mem device, for the sequences. */
const DEVICES: readonly string[] = [...IOTHREAD_ARGS, ...VIRTIO_MEM_ARGS];

/** With this, the balloon gives way before its guest dies. Only such a guest can be filled completely. */
const FULL: { readonly guest: GuestOptions; readonly args: readonly string[] } = {
  guest: { balloonDevice: false, append: PATIENT },
  args: [...DEVICES, "-device", "virtio-balloon-pci,id=balloon0,deflate-on-oom=on"],
};

/** Whether this QEMU can plug a vCPU again. */
export function replugs({ major }: Qemu): boolean {
  return major >= REPLUGS;
}

/** Starts a real QEMU with its guest: 512 MiB, one vCPU, no pins; four of them, to shrink; three where the guest has an agent. */
export async function openReal(qemu: Qemu, kind: Kind = "usual"): Promise<RealRig> {
  const maxVcpus = replugs(qemu) ? ROOM : 4;
  const channel = kind === "agent" ? await openChannel() : null;
  const scene = await openScene(qemu, {
    name: "web",
    memory: { max: "512MiB", current: "512MiB", hotplug: { slots: 4, limit: "4GiB" } },
    vcpus: { max: maxVcpus, current: channel === null ? 1 : 3 },
    guest: kind === "full" ? FULL.guest : { append: PATIENT, ...(channel === null ? {} : { agent: channel.path }) },
    args: [...(kind === "full" ? FULL.args : DEVICES), ...DISK_ARGS, ...DRIVE_ARGS, ...PORT_ARGS],
  });
  try {
    if (channel !== null) await scene.edit((config) => void (config.agent = channel.path));
    await scene.start();
    if (kind === "shrink") await scene.domain.setVcpus(4, { scope: "both" });
    await channel?.before();
    const runtime = join(scene.folder, "run", "web");
    const proxy = await Proxy.before(join(runtime, "control.sock"));
    const [books = ""] = await readdir(join(scene.folder, "state"));
    return rigOf(qemu, scene, {
      kind,
      maxVcpus,
      runtime,
      books: join(scene.folder, "state", books),
      proxy,
      channel,
      pid: await scene.pid(),
      mask: (await scene.mask(0)) ?? "",
      group: await ownGroupFor(await scene.pid()),
    });
  } catch (error) {
    await scene[Symbol.asyncDispose]();
    await channel?.[Symbol.asyncDispose]();
    throw error;
  }
}

interface Parts {
  readonly kind: Kind;
  readonly maxVcpus: number;
  readonly runtime: string;
  readonly books: string;
  readonly proxy: Proxy;
  readonly channel: Channel | null;
  readonly pid: number;
  readonly mask: string;
  readonly group: OwnGroup | null;
}

function rigOf(qemu: Qemu, scene: Scene, { kind, maxVcpus, runtime, books, proxy, channel, pid, mask, group }: Parts): RealRig {
  let gone = false;
  // QEMU itself can hang. Then this says so, and does not wait.
  const ask = (command: string, args?: object): Promise<unknown> =>
    inTime(scene.ask(command, args), `QEMU has not answered ${command} in ${PATIENCE} ms`);
  const cpus = async (): Promise<readonly Cpu[]> => (await ask("query-cpus-fast")) as readonly Cpu[];
  const tidsOf = (found: readonly Cpu[]): Pick<Tids, "main" | "vcpus"> => ({
    main: pid,
    vcpus: Object.fromEntries(found.map((cpu) => [cpu["cpu-index"], cpu["thread-id"]])),
  });
  const look = async (): Promise<Look | null> => {
    if (gone) return null;
    const [found, memory] = await Promise.all([cpus(), ask("query-balloon")]);
    const blocks = (await ask("query-block")) as readonly {
      readonly qdev?: string;
      readonly inserted?: Readonly<Record<string, unknown>>;
    }[];
    const disk = blocks.find(({ qdev }) => qdev?.includes(`/${DISK}/`));
    const devices = (await scene.ask("qom-list", { path: "/machine/peripheral" })) as readonly { readonly name: string }[];
    const threads = { ...tidsOf(found), ...(await iothreadsOf(ask)) };
    const masks = await Promise.all(found.map(async (cpu) => [cpu["cpu-index"], await maskOf(cpu["thread-id"])] as const));
    return {
      memory: (memory as { actual: number }).actual,
      vcpus: found.length,
      masks: Object.fromEntries(masks),
      ...(channel === null ? {} : { offline: await channel.offline() }),
      emulator: await maskOf(pid),
      workers: await lookAtWorkers(threads),
      threads: await lookAtThreads(threads),
      disk: limitsText(disk?.inserted ?? {}),
      medium: mediumSeen(blocks),
      period: Number(await ask("qom-get", { path: "/machine/peripheral/balloon0", property: "guest-stats-polling-interval" })),
      devices: devicesOf((await ask("query-memory-devices")) as Parameters<typeof devicesOf>[0]),
      share: await shareIn(group),
      device: deviceWordsIf(devices.some(({ name }) => name === DEVICE)),
    };
  };
  return {
    name: `QEMU ${qemu.version}`,
    real: true,
    replugs: replugs(qemu),
    ends: endsOf(kind, replugs(qemu), mask),
    limits: { maxMemory: 512, maxVcpus },
    configPath: scene.domain.configPath ?? "",
    runtime,
    books,
    options: { configDir: join(scene.folder, "config"), runtimeDir: join(scene.folder, "run"), stateDir: join(scene.folder, "state") },
    domain: scene.domain,
    proxy,
    ...(channel === null ? {} : { agent: channel.proxy }),
    pid,
    tids: async () => ({ ...tidsOf(await cpus()), ...(await iothreadsOf(ask)) }),
    scene,
    look,
    // QEMU 5.2 hangs in a device_add that comes too early, see test/qemu/README.md.
    ...(replugs(qemu)
      ? {}
      : {
          calm: async () =>
            void (await look()
              .then((now) => scene.console.until(({ cpus: up }) => up === now?.vcpus, { timeout: PATIENCE }))
              .catch(() => undefined)),
        }),
    threadOf: async (vcpu) => (await cpus()).find((cpu) => cpu["cpu-index"] === vcpu)?.["thread-id"] ?? 0,
    whyLost: () =>
      Promise.all([ask("query-status"), scene.console.next({ timeout: PATIENCE })]).then(
        () => null,
        (error: unknown) => messageOf(error).split("\n")[0] ?? "",
      ),
    killQemu: async () => {
      gone = true;
      await scene.kill();
    },
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await channel?.[Symbol.asyncDispose]();
      await scene[Symbol.asyncDispose]();
      await group?.[Symbol.asyncDispose]();
    },
  };
}

async function iothreadsOf(ask: (command: string) => Promise<unknown>): Promise<Pick<Tids, "iothreads" | "polling">> {
  const found = (await ask("query-iothreads")) as readonly Iothread[];
  return {
    iothreads: Object.fromEntries(found.map(({ id, "thread-id": tid }) => [id, tid])),
    polling: Object.fromEntries(found.map(({ id, "poll-max-ns": time }) => [id, time])),
  };
}

function inTime<T>(work: Promise<T>, why: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error(why)), PATIENCE)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function endsOf(kind: Kind, back: boolean, mask: string): Ends {
  const [base, wanted] = [
    { memory: "512MiB", vcpus: 1, mask },
    { memory: "400MiB", vcpus: 4, mask: "0" },
  ];
  if (kind === "shrink") return { pinned: [], base: { ...base, vcpus: 4 }, wanted: { ...base, vcpus: 2 } };
  if (kind === "grow") return { pinned: [0, 1, 2], base, wanted };
  // All CPUs, so that a cpuset can take some away.
  if (kind === "wide") return { pinned: [0, 1, 2], base, wanted: { ...wanted, mask } };
  return back && kind === "usual"
    ? { pinned: [0, 1], base, wanted: { ...wanted, vcpus: 2 } }
    : { pinned: [0], base, wanted: { ...wanted, vcpus: 1 } };
}
