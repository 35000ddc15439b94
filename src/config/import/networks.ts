import { valuesOf } from "../option-values.ts";
import { escapeCommas, type Option } from "../options.ts";
import { adapt, type Adapted } from "./adapt.ts";
import type { Around } from "./around.ts";

/**
 * Gives each network that `isOwners` finds another back end: the bridge that it was on, by QEMU's own helper, or QEMU's user network if
 * that
 * is not known.
 */
export function withNetworks(
  options: readonly Option[],
  { nets }: Around,
  isOwners: (values: ReadonlyMap<string, string>) => string | undefined,
): Adapted {
  const addresses = new Map(
    options
      .filter(({ name }) => name === "device")
      .map((option) => valuesOf(option, "driver"))
      .map((values) => [values.get("netdev"), values.get("mac")?.toLowerCase()] as const),
  );
  return adapt(options, (option) => {
    if (option.name !== "netdev") return undefined;
    const values = valuesOf(option, "type");
    const whose = isOwners(values);
    if (whose === undefined) return undefined;
    const id = values.get("id") ?? "";
    const net = nets.get(addresses.get(id) ?? "");
    if (net?.kind === "user") return { now: ["-netdev", `user,id=${id}`], why: "as it was configured" };
    if (net?.kind === "bridge")
      return {
        now: ["-netdev", `bridge,id=${id},br=${escapeCommas(net.bridge)}`],
        why: `${whose}; QEMU's bridge helper makes one, if /etc/qemu/bridge.conf allows ${net.bridge}`,
      };
    return {
      now: ["-netdev", `user,id=${id}`],
      why: `${whose}. The guest is behind this host now; -netdev bridge,id=${id},br=NAME connects it to a bridge`,
    };
  });
}

/** Whether QEMU has to start a program for its networks, which a sandbox may forbid. */
export function startsHelpers(options: readonly Option[]): boolean {
  return options.some((option) => option.name === "netdev" && ["bridge", "tap"].includes(valuesOf(option, "type").get("type") ?? ""));
}
