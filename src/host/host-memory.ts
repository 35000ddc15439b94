import { kernelFileIfThere } from "./kernel-file.ts";
import { pressureIn } from "./load.ts";

/** The memory of this host, in bytes. */
export interface MemoryOfHost {
  readonly total: number;
  /** What programs could get without swapping: MemAvailable. */
  readonly available: number;
  /** How much of the last ten seconds some, or all, programs waited for memory, in percent; null where the kernel does not count that. */
  readonly pressure: { readonly some: number; readonly full: number } | null;
  /** Pages read from swap since the host's start; null where the kernel does not tell. */
  readonly pagesSwappedIn: number | null;
}

/** Reads it; null where the kernel does not tell. Sources: proc(5), and the kernel's Documentation/accounting/psi.rst. */
export function memoryOfHost(): MemoryOfHost | null {
  return memoryIn({
    meminfo: kernelFileIfThere("/proc/meminfo") ?? "",
    pressure: kernelFileIfThere("/proc/pressure/memory") ?? "",
    vmstat: kernelFileIfThere("/proc/vmstat") ?? "",
  });
}

/** The same, of the texts of its files. */
export function memoryIn({ meminfo, pressure, vmstat }: Readonly<Record<"meminfo" | "pressure" | "vmstat", string>>): MemoryOfHost | null {
  const [total, available] = ["MemTotal", "MemAvailable"].map((name) => numberIn(meminfo, new RegExp(`^${name}:\\s+(\\d+) kB$`, "m")));
  if (total == null || available == null) return null;
  const some = pressureIn(pressure, "some");
  return {
    total: total * 1024,
    available: available * 1024,
    pressure: some === null ? null : { some, full: pressureIn(pressure, "full") ?? 0 },
    pagesSwappedIn: numberIn(vmstat, /^pswpin (\d+)$/m),
  };
}

function numberIn(text: string, pattern: RegExp): number | null {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}
