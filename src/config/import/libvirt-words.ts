import { isJson, valuesOf } from "../option-values.ts";
import type { Option } from "../options.ts";
import { adapt, type Adapted, inTurn, withValue } from "./adapt.ts";
import type { Around } from "./around.ts";
import { startsHelpers, withNetworks } from "./networks.ts";
import { withMovedSockets, withoutOwnMonitors } from "./sockets.ts";

/** Whether a path is in a folder that libvirt makes for one run of one machine, or for its own sockets. */
function isLibvirts(path: string): boolean {
  return /^(\/var\/lib\/libvirt\/qemu|(\/var)?\/run\/libvirt|.*\/libvirt\/qemu\/(lib|run))\//.test(path);
}

/** The words of a machine of libvirt's without what only libvirt can give it. */
export function withoutLibvirt(options: readonly Option[], around: Around): Adapted {
  return inTurn(
    options,
    (all) => withoutOwnMonitors(all, "libvirt", isLibvirts),
    (all) => adapt(all, secretFate),
    (all) => withNetworks(all, around, networkOfLibvirts),
    (all) => withMovedSockets(all, "libvirt", isLibvirts, around),
    (all) => adapt(all, memoryFate),
    (all) => adapt(all, (option) => sandboxFate(option, startsHelpers(all))),
    (all) => adapt(all, otherFate),
  );
}

function secretFate(option: Option) {
  if (option.name !== "object") return undefined;
  const values = valuesOf(option, "qom-type");
  if (values.get("qom-type") !== "secret") return undefined;
  if (/\/master-key\.aes$/.test(values.get("file") ?? "")) return { why: "libvirt makes that key for each start, to hand secrets to QEMU" };
  if (values.get("keyid") === "masterKey0")
    return { why: `it can be read only with libvirt's key: add -object secret,id=${values.get("id") ?? ""},file=FILE, or start fails` };
  return undefined;
}

function networkOfLibvirts(values: ReadonlyMap<string, string>): string | undefined {
  if ([...values.keys()].some((key) => /^(vhost)?fds?(\.|$)/.test(key))) return "libvirt opens the TAP interface for QEMU";
  const path = values.get("addr.path") ?? values.get("path") ?? "";
  return isLibvirts(path) ? "libvirt starts the program at its other end" : undefined;
}

/** The folders of one machine in which libvirt has the guest's memory as files; the folder above is there without it. */
const MEMORY = /^(.*\/libvirt\/qemu|\/var\/lib\/libvirt\/qemu\/ram)\/-?\d+-[^/]+(\/.*)?$/;

function memoryFate(option: Option) {
  const path =
    option.name === "object" ? valuesOf(option, "qom-type").get("mem-path") : option.name === "mem-path" ? option.value : undefined;
  const above = MEMORY.exec(path ?? "")?.[1]?.replace(/\/libvirt\/qemu$/, "");
  if (path === undefined || above === undefined) return undefined;
  const now = option.name === "mem-path" ? ["-mem-path", above] : withValue(option, "mem-path", above);
  return { now, why: "libvirt makes that folder for each start" };
}

function sandboxFate(option: Option, hasHelpers: boolean) {
  if (option.name !== "sandbox" || !hasHelpers) return undefined;
  const values = valuesOf(option, "enable");
  if (values.get("spawn") !== "deny" && values.get("elevateprivileges") !== "deny") return undefined;
  const now = (option.value ?? "").split(",").filter((item) => !/^(spawn|elevateprivileges)=/.test(item));
  return { now: ["-sandbox", now.join(",")], why: "QEMU has to start the helper of its network" };
}

function otherFate(option: Option) {
  const { name, value = "" } = option;
  if (name === "no-shutdown") return { why: "with it libvirt ends QEMU after the guest has powered off; nobody would" };
  if (name === "device" && /^vfio-pci\b/.test(valuesOf(option, "driver").get("driver") ?? ""))
    return { stays: "libvirt binds that device to vfio-pci before a start; do so yourself" };
  const isNvram = /\/libvirt\/qemu\/nvram\//.test(value) && (isJson(value) || name === "drive");
  return isNvram ? { stays: "this file is libvirt's: undefine --nvram there would delete it" } : undefined;
}
