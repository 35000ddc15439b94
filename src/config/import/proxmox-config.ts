import type { Net } from "./around.ts";
import { type Extra, type Extras, NO_EXTRAS } from "./extras.ts";

/** What `qm config ID` says of a machine, and its command line does not: bridges, and how far the balloon may go. */
export function extrasOfProxmox(text: string): Extras {
  const values = new Map(
    text.split("\n").flatMap((line) => {
      const [, key, value] = /^([\w-]+):\s*(.*?)\s*$/.exec(line) ?? [];
      return key === undefined ? [] : [[key, value ?? ""] as const];
    }),
  );
  const nets = new Map<string, Net>();
  for (const [key, value] of values) {
    if (!/^net\d+$/.test(key)) continue;
    const [mac, bridge] = [/(?:^|[=,])((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?:,|$)/i.exec(value)?.[1], /(?:^|,)bridge=([^,]+)/.exec(value)?.[1]];
    if (mac !== undefined) nets.set(mac.toLowerCase(), bridge === undefined ? { kind: "user" } : { kind: "bridge", bridge });
  }
  const left = ["cpulimit", "cpuunits", "affinity", "hookscript", "startup"].filter((key) => values.has(key));
  const tags = [...values].some(([key, value]) => /^net\d+$/.test(key) && /(^|,)(tag|firewall|rate|trunks)=/.test(value));
  return {
    ...NO_EXTRAS,
    name: values.get("name") ?? null,
    nets,
    keys: lowest(values.get("balloon")),
    notes: [
      ...(left.length === 0 ? [] : [`not taken over: ${left.join(", ")}: Proxmox sets these itself; setcpu and vcpupin set ours`]),
      ...(tags ? ["not taken over: VLAN tags, the firewall and rates of its networks: Proxmox sets these on its own interfaces"] : []),
    ],
  };
}

/** Proxmox's `balloon` is the lowest target, in MiB; 0 says that there is no balloon. */
function lowest(balloon: string | undefined): readonly Extra[] {
  if (balloon === undefined || !/^[1-9]\d*$/.test(balloon)) return [];
  return [{ path: ["memory", "min"], value: `${balloon}MiB`, from: "balloon of qm config" }];
}
