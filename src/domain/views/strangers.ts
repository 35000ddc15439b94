import { basename } from "node:path";
import { fromCommandLine } from "../../config/command-line.ts";
import { ownUid } from "../../config/own-user.ts";
import type { Process } from "../../host/processes.ts";
import { isQemu, qemuWords } from "../machine/command-line.ts";
import { type Found, innermost, read } from "../machine/verdict.ts";
import { whyStopped } from "../machine/wait-notice.ts";
import { kernelCounts, type TapReader, vcpuThreadsOf } from "./kernel-counts.ts";
import type { MachineSample } from "./sample.ts";

/** A QEMU of this host, with what its command line says. */
interface Seen extends Found {
  readonly count: MachineSample["count"];
  readonly memory: number | null;
}

/** The QEMUs of this host that have no config here: what /proc shows of them, whosever they are. Nobody asks them. */
export class Strangers {
  /** By process: a command line is read once. */
  #seen: ReadonlyMap<string, Seen> = new Map();

  /** Takes the processes that there are now. Resolves with those that are new. */
  async notice(processes: readonly Process[]): Promise<readonly Found[]> {
    const before = this.#seen;
    const all = await Promise.all(
      processes
        .filter(({ argv }) => isQemu(argv))
        .map(async (process) => {
          const key = `${process.pid} ${process.started} ${process.argv[0]}`;
          return [key, before.get(key) ?? seenIn(await read(process))] as const;
        }),
    );
    this.#seen = new Map(all);
    return all.flatMap(([key, seen]) => (before.has(key) ? [] : [seen]));
  }

  /** Those that `isTaken` does not name, as samples. */
  async samples(isTaken: (found: Found) => boolean, nets: TapReader): Promise<readonly MachineSample[]> {
    const all = [...this.#seen.values()];
    const parents = new Set(all.map(({ process }) => process.parent));
    const inner = new Set(innermost(all));
    const free = all.filter((each) => inner.has(each) && !parents.has(each.process.pid) && !isTaken(each));
    return Promise.all(free.map((each) => sampleOf(each, nets)));
  }
}

function seenIn(found: Found): Seen {
  try {
    const { config } = fromCommandLine(qemuWords(found.process.argv), { name: "any", running: true });
    return { ...found, memory: config.memory.max, count: { current: null, max: config.vcpus.max } };
  } catch {
    return { ...found, memory: null, count: { current: null, max: null } };
  }
}

async function sampleOf({ process: { pid, uid, argv }, words, count, memory }: Seen, nets: TapReader): Promise<MachineSample> {
  const [threads, reason] = await Promise.all([vcpuThreadsOf(pid), whyStopped(pid)]);
  const { resident, ...counts } = await kernelCounts(pid, threads, nets.of(pid, []));
  return {
    name: words.name ?? `${basename(qemuWords(argv)[0] ?? "qemu")} ${pid}`,
    defined: false,
    state: null,
    ...(reason === null ? {} : { reason }),
    pid,
    ...(uid === ownUid() ? {} : { user: uid }),
    ...counts,
    count: { current: threads.length > 0 ? threads.length : null, max: count.max },
    memory: { current: null, target: null, max: memory, host: resident, cgroup: null, guest: null },
    disks: null,
    differs: [],
    interrupted: false,
    asked: null,
  };
}
