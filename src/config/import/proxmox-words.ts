import { isMachine, valuesOf } from "../option-values.ts";
import type { Option } from "../options.ts";
import { adapt, type Adapted, inTurn, withValue } from "./adapt.ts";
import type { Around } from "./around.ts";
import { withNetworks } from "./networks.ts";
import { withMovedSockets, withoutOwnMonitors } from "./sockets.ts";

/** Whether a path is in the folder of Proxmox's sockets, or that of its daemon of events. */
function isProxmoxs(path: string): boolean {
  return /^(\/var)?\/run\/(qemu-server\/|qmeventd\.sock$)/.test(path);
}

/** The words of a machine of Proxmox's without what only Proxmox can give it. */
export function withoutProxmox(options: readonly Option[], around: Around): Adapted {
  const usesIscsi = options.some(({ name, value = "" }) => name !== "iscsi" && /iscsi/.test(value));
  return inTurn(
    options,
    (all) => withoutOwnMonitors(all, "Proxmox", isProxmoxs),
    (all) => withNetworks(all, around, networkOfProxmoxs),
    (all) => withMovedSockets(all, "Proxmox", isProxmoxs, around),
    (all) => adapt(all, machineFate),
    (all) => adapt(all, (option) => (option.name === "iscsi" && !usesIscsi ? { why: "no disk of it is on iSCSI" } : undefined)),
    (all) => adapt(all, otherFate),
  );
}

function networkOfProxmoxs(values: ReadonlyMap<string, string>): string | undefined {
  const scripts = [values.get("script"), values.get("downscript")].filter((path) => /\/pve-bridge/.test(path ?? ""));
  return scripts.length === 0 ? undefined : `${scripts.join(", ")} read Proxmox's own config`;
}

/** Proxmox's QEMU knows versions of machines that no other does: `pc-i440fx-9.0+pve0`. */
function machineFate(option: Option) {
  const type = isMachine(option) ? valuesOf(option, "type").get("type") : undefined;
  const plain = /^(.*)\+pve\d+$/.exec(type ?? "")?.[1];
  if (plain === undefined) return undefined;
  const now = withValue(option, "type", plain);
  return { now: now[1] === option.value ? [`-${option.name}`, (option.value ?? "").replace(type ?? "", plain)] : now, why: ONLY_THEIRS };
}

const ONLY_THEIRS = "only Proxmox's own QEMU knows that";

function otherFate(option: Option) {
  const { name, value = "" } = option;
  if (name === "id") return { why: `${ONLY_THEIRS}; it is Proxmox's number of the machine` };
  if (name === "no-shutdown") return { why: "with it Proxmox ends QEMU after the guest has powered off; nobody would" };
  if (name === "vnc" && isProxmoxs(value.replace(/^unix:/, "").replace(/,.*$/, "")))
    return { now: ["-display", "none"], why: "Proxmox's console is at its other end; -vnc unix:PATH shows the screen elsewhere" };
  if (name === "boot" && /^\/usr\/share\/qemu-server\//.test(valuesOf(option, "order").get("splash") ?? ""))
    return { now: withValue(option, "splash", undefined), why: "the picture is Proxmox's" };
  if (name === "readconfig" && value.startsWith("/usr/share/qemu-server/"))
    return { stays: "this file is Proxmox's: keep a copy, it goes with Proxmox" };
  if (name === "device" && /^vfio-pci\b/.test(valuesOf(option, "driver").get("driver") ?? ""))
    return { stays: "Proxmox binds that device to vfio-pci before a start; do so yourself" };
  if (VOLUME.test(value) && ["drive", "blockdev"].includes(name))
    return { stays: "Proxmox activates that volume before a start; see that it is there at the next one (lvchange -ay)" };
  return undefined;
}

/** A disk that is a device of the host: `file=/dev/pve/vm-100-disk-0`, `"filename":"/dev/…"`. */
const VOLUME = /(?:^|,)file=\/dev\/|"filename":"\/dev\//;
