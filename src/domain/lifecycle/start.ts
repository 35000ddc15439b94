import type { Stored } from "../../config/store.ts";
import { formatCpuList, parseCpuList } from "../../host/cpulist.ts";
import { HostError } from "../../errors.ts";
import { identify, sendSignal, waitForEnd } from "../../host/signal.ts";
import { setAffinity } from "../../host/taskset.ts";
import type { Session } from "../../qmp/session.ts";
import { writeAsked } from "../facts/notes.ts";
import type { Progress } from "../change.ts";
import { StateError } from "../errors.ts";
import { findFor, readStored } from "../facts.ts";
import { cleanUp, launch } from "./launch.ts";
import { type Live, readLive } from "../live.ts";
import { openControl } from "../machine/find.ts";
import type { Monitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { formatSize } from "../../config/size.ts";

/** How long the guest's memory statistics may be old, in seconds: they guard it against too small a balloon target. */
const STATS_INTERVAL = 5;

/** Options of `start`. */
export interface StartOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
  /** Leave it paused, as QEMU's -S does. */
  readonly paused?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/** A machine that was started. Sizes in bytes, times in milliseconds. */
export interface StartReport {
  readonly name: string;
  readonly pid: number;
  readonly vcpus: number;
  readonly memory: number;
  readonly notes: readonly string[];
  readonly elapsed: number;
}

/**
 * Starts the domain's machine, under its lock: launched stopped, read back, pins and the balloon's target applied, then let go.
 * When any of that fails the machine is ended again, as it would not be what its config says.
 */
export async function startMachine(place: Place, options: StartOptions): Promise<StartReport> {
  const start = performance.now();
  const stored = await readStored(place);
  if (stored === null) throw new StateError(`${place.name}: a transient machine has no config to start from; define it first`, "unreachable");
  const present = await findFor(place, stored);
  if (present !== null) throw new StateError(`${place.name}: it runs already${present.pid === null ? "" : ` (process ${present.pid})`}`, "running");
  const pid = await launch(place, stored, options.signal);
  try {
    await using monitor = await openControl(place, { pid, control: `unix:${place.runtime.control}`, watch: null }, options.signal);
    const live = await prepareMachine(place, stored, monitor);
    if (options.paused !== true) await letGo(monitor.session);
    const notes = notesOf(stored, options);
    return { name: place.name, pid, vcpus: live.vcpus.length, memory: stored.config.memory.current, notes, elapsed: Math.round(performance.now() - start) };
  } catch (error) {
    await endAgain(place, pid);
    throw error;
  }
}

/** Makes the stopped machine what its config says, and reads it back. */
async function prepareMachine(place: Place, stored: Stored, monitor: Monitor): Promise<Live> {
  const { config } = stored;
  const live = await readLive(monitor.session, monitor.pid);
  check(place, "vCPUs", live.vcpus.length, config.vcpus.current);
  check(place, "maximum memory", formatSize(live.memory.size), formatSize(config.memory.max));
  await applyPins(place, stored, live);
  await applyMemory(place, stored, live, monitor.session);
  await writeAsked(place.runtime.folder, live.pid, {
    threads: live.vcpus.length,
    ...(config.memory.current < config.memory.max ? { balloon: config.memory.current } : {}),
  });
  return live;
}

function check(place: Place, what: string, actual: number | string, wanted: number | string): void {
  if (actual !== wanted) throw new HostError(`${place.name}: QEMU started with ${what} ${actual}, the config says ${wanted}`);
}

async function applyPins(place: Place, { config }: Stored, live: Live): Promise<void> {
  const pinned = live.vcpus.filter((vcpu) => config.vcpus.pin[String(vcpu.index)] !== undefined);
  if (pinned.length > 0 && live.noThreads !== null) throw new HostError(`${place.name}: its vCPUs can't be pinned: ${live.noThreads}`);
  await Promise.all(pinned.map(async ({ index, tid }) => {
    const wanted = parseCpuList(config.vcpus.pin[String(index)] ?? "");
    const actual = await setAffinity(tid, wanted);
    check(place, `vCPU ${index} on CPUs`, formatCpuList(actual), formatCpuList(wanted));
  }));
}

async function applyMemory(place: Place, { config }: Stored, { memory }: Live, session: Session): Promise<void> {
  if (memory.balloon !== null) {
    await session.execute("qom-set", { path: memory.balloon, property: "guest-stats-polling-interval", value: STATS_INTERVAL });
  }
  if (config.memory.current === config.memory.max) return;
  if (memory.actual === null) {
    throw new HostError(`${place.name}: memory.current ${formatSize(config.memory.current)} is below memory.max ${formatSize(config.memory.max)}, which needs a balloon device: add "-device", "virtio-balloon-pci,id=balloon0" to args`);
  }
  // Kept by QEMU, and honoured when the guest's driver loads.
  await session.execute("balloon", { value: config.memory.current });
}

async function letGo(session: Session): Promise<void> {
  await session.execute("cont");
  const { status } = await session.execute("query-status");
  if (status !== "running") throw new HostError(`the machine was let go and is ${status}`);
}

function notesOf({ config }: Stored, options: StartOptions): readonly string[] {
  return [
    ...(options.paused === true ? ["it is paused, as asked"] : []),
    ...(config.memory.current < config.memory.max ? [`the guest gives memory back down to ${formatSize(config.memory.current)} once its balloon driver is up`] : []),
  ];
}

/** A machine that is not what its config says must not run. */
async function endAgain(place: Place, pid: number): Promise<void> {
  const process = await identify(pid);
  if (process !== undefined) {
    await sendSignal(process, "SIGKILL");
    await waitForEnd(process, { timeout: 5000 });
  }
  await cleanUp(place);
}
