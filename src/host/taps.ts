import { readdir } from "node:fs/promises";
import { kernelFileIfThere } from "./kernel-file.ts";

/** What the kernel counted at a TAP interface, from the side of the one who has its other end: a guest. */
export interface TapCounters {
  /** The interface's name on the host, as `tap0`. */
  readonly interface: string;
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  /** Packets for the guest that it did not take in time. */
  readonly receivedDropped: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
}

/**
 * The TAP interfaces that a process holds, by name, as far as they are in its own network namespace. What the host received there, the
 * guest sent. Empty if that may not be seen. Sources: `iff` in /proc/PID/fdinfo (the kernel's tun.c); /proc/PID/net/dev.
 */
export async function tapsOf(pid: number): Promise<readonly TapCounters[]> {
  const files = await readdir(`/proc/${pid}/fdinfo`).catch(() => []);
  const held = new Set(files.flatMap((file) => /^iff:\s*(\S+)$/m.exec(kernelFileIfThere(`/proc/${pid}/fdinfo/${file}`) ?? "")?.[1] ?? []));
  if (held.size === 0) return [];
  return countersIn(kernelFileIfThere(`/proc/${pid}/net/dev`) ?? "").filter((each) => held.has(each.interface));
}

/** The counters in the text of a `net/dev`: of each interface 8 of what it received, and 8 of what it sent. */
export function countersIn(text: string): readonly TapCounters[] {
  return [...text.matchAll(/^ *(\S+): *([\d ]+)$/gm)]
    .map(([, name = "", numbers = ""]) => {
      const at = numbers.trim().split(/ +/).map(Number);
      const [received = 0, receivedPackets = 0, , , , , , , sent = 0, sentPackets = 0, , dropped = 0] = at;
      return {
        interface: name,
        receivedBytes: sent,
        receivedPackets: sentPackets,
        receivedDropped: dropped,
        sentBytes: received,
        sentPackets: receivedPackets,
      };
    })
    .sort((one, other) => (one.interface < other.interface ? -1 : 1));
}
