/** A verb of another program that means the same as one of ours. */
export interface Alias {
  readonly verb: string;
  /** Our options that it implies. */
  readonly adds?: readonly string[];
  /** Its flags that only choose what is shown. Our verb shows everything. */
  readonly drops?: readonly string[];
  /** Whether a kind may stand before the name, as in kubectl. */
  readonly kinds?: boolean;
}

const toInfo = (...drops: readonly string[]): Alias => ({ verb: "info", drops });

const toStats = (...drops: readonly string[]): Alias => ({ verb: "stats", drops });

/** Verbs of virsh, qm, docker, kubectl and systemctl that have one meaning here. None of them ends a machine or deletes anything. */
export const aliases: Readonly<Record<string, Alias>> = {
  dominfo: toInfo(),
  domstate: toInfo("reason"),
  domstats: toStats(
    "state",
    "cpu-total",
    "balloon",
    "vcpu",
    "interface",
    "block",
    "perf",
    "iothread",
    "memory",
    "raw",
    "enforce",
    "nowait",
  ),
  domcontrol: toInfo(),
  domid: toInfo(),
  domname: toInfo(),
  domuuid: toInfo(),
  dommemstat: { verb: "memstat", drops: ["human"] },
  vcpucount: toInfo("maximum", "active", "live", "config", "current", "guest"),
  status: toInfo(),
  show: toInfo(),
  describe: { verb: "info", kinds: true },
  inspect: toInfo(),
  dumpxml: { verb: "config", drops: ["inactive", "security-info", "update-cpu", "migratable"] },
  ls: { verb: "list" },
  ps: { verb: "list" },
  "list-units": { verb: "list" },
  cat: { verb: "config" },
  pending: { verb: "diff" },
  pause: { verb: "suspend" },
  unpause: { verb: "resume" },
  cont: { verb: "resume" },
  "update-memory-device": { verb: "setmem" },
  monitor: { verb: "qmp", adds: ["--hmp"] },
  "qemu-monitor-command": { verb: "qmp", drops: ["pretty", "return-value"] },
};

const KINDS = /^(domains?|doms?|vms?|vmis?|virtualmachines?|machines?|guests?|pods?|all)$/i;

/** The words without the kind before a name, such as `vm` in `get vm web1`. */
export function withoutKind(words: readonly string[]): readonly string[] {
  const [kind, name] = words.filter((word) => !word.startsWith("-"));
  return kind !== undefined && name !== undefined && KINDS.test(kind) ? words.toSpliced(words.indexOf(kind), 1) : words;
}

/** The domain that the words after another program's verb name. `undefined` if they only name a kind. */
export function domainIn(words: readonly string[]): string | undefined {
  const name = withoutKind(words).find((word) => !word.startsWith("-"));
  return name === undefined || KINDS.test(name) ? undefined : name;
}
