import { kernelFileIfThere } from "./kernel-file.ts";

/** The control groups that a process is in, in every hierarchy; empty if it has ended. Every user may see them. Source: cgroups(7). */
export function cgroupPathsOf(pid: number | "self"): readonly string[] {
  const lines = (kernelFileIfThere(`/proc/${pid}/cgroup`) ?? "").split("\n");
  return [...new Set(lines.flatMap((line) => /^\d+:[^:]*:(\/.*)$/.exec(line)?.[1] ?? []))];
}

/** The container that a path of a control group says: the manager and its id; undefined if it says none. */
export function containerIn(path: string): string | undefined {
  for (const [manager, form] of CONTAINERS) {
    const id = form.exec(path)?.[1];
    if (id !== undefined) return `${manager} ${id.slice(0, LONGEST_ID)}`;
  }
  return undefined;
}

const LONGEST_ID = 12;

/** How container managers name the groups of their containers, with and without systemd. */
const CONTAINERS: readonly (readonly [manager: string, form: RegExp])[] = [
  ["docker", /\/docker[-/]([0-9a-f]{12,64})(?:\.scope)?(?:\/|$)/],
  ["podman", /\/libpod-(?:conmon-)?([0-9a-f]{12,64})(?:\.scope)?(?:\/|$)/],
  ["kubernetes", /\/kubepods[^/]*\/(?:.*\/)?(?:[a-z-]+-)?([0-9a-f]{12,64})(?:\.scope)?$/],
  ["containerd", /\/(?:cri-)?containerd-([0-9a-f]{12,64})(?:\.scope)?(?:\/|$)/],
  ["lxc", /\/lxc(?:\.payload)?[./]([^/]+)(?:\/|$)/],
  ["nspawn", /\/machine\.slice\/(?:machine-(?!qemu)|systemd-nspawn@)([^/]+?)\.(?:scope|service)(?:\/|$)/],
];
