import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { aliases } from "../../src/cli/aliases.ts";
import { verbs } from "../../src/cli/command.ts";
import { wayOfVerb } from "../../src/cli/habits.ts";
import { cell } from "./cell.ts";

/** The verbs of virsh 9.0 that are about domains, as `virsh help domain`, `monitor` and `snapshot` list them. */
export const VIRSH: readonly string[] =
  `attach-device attach-disk attach-interface autostart blkdeviotune blkiotune blockcommit blockcopy blockjob blockpull blockresize
  change-media console cpu-stats create define desc destroy detach-device detach-device-alias detach-disk detach-interface
  dom-fd-associate domblkerror domblkinfo domblklist domblkstat domblkthreshold domcontrol domdirtyrate-calc domdisplay domfsfreeze
  domfsinfo domfsthaw domfstrim domhostname domid domif-getlink domif-setlink domifaddr domiflist domifstat domiftune dominfo
  domjobabort domjobinfo domlaunchsecinfo dommemstat domname dompmsuspend dompmwakeup domrename domsetlaunchsecstate domstate
  domstats domtime domuuid domxml-from-native domxml-to-native dump dumpxml edit emulatorpin get-user-sshkeys guest-agent-timeout
  guestinfo guestvcpus inject-nmi iothreadadd iothreaddel iothreadinfo iothreadpin iothreadset list lxc-enter-namespace managedsave
  managedsave-define managedsave-dumpxml managedsave-edit managedsave-remove memtune metadata migrate migrate-compcache
  migrate-getmaxdowntime migrate-getspeed migrate-postcopy migrate-setmaxdowntime migrate-setspeed numatune perf qemu-agent-command
  qemu-attach qemu-monitor-command qemu-monitor-event reboot reset restore resume save save-image-define save-image-dumpxml
  save-image-edit schedinfo screenshot send-key send-process-signal set-lifecycle-action set-user-password set-user-sshkeys
  setmaxmem setmem setvcpu setvcpus shutdown snapshot-create snapshot-create-as snapshot-current snapshot-delete snapshot-dumpxml
  snapshot-edit snapshot-info snapshot-list snapshot-parent snapshot-revert start suspend ttyconsole undefine update-device
  update-memory-device vcpucount vcpuinfo vcpupin vncdisplay`.split(/\s+/);

/** The verbs of qm of Proxmox VE 8. */
export const QM: readonly string[] =
  `agent cleanup clone cloudinit config create delsnapshot destroy disk guest import importdisk importovf list listsnapshot migrate
  monitor move-disk mtunnel nbdstop pending reboot remote-migrate rescan reset resize resume rollback sendkey set showcmd shutdown
  snapshot start status stop suspend template terminal unlink unlock vncproxy wait`.split(/\s+/);

/** What has no verb here, and never will: it is no matter of one QEMU. */
export const NOT_OURS: Readonly<Record<string, string>> = {
  "lxc-enter-namespace": "not ours: containers are no QEMU",
  "dom-fd-associate": "not ours: it is for libvirt's own API; `spawnQemu` of the library passes descriptors",
  mtunnel: "not ours: a helper of Proxmox's own migration",
  cleanup: "not ours: Proxmox calls it itself after a machine has ended",
};

const PAGE = new URL("../../src/cli/COMING-FROM.md", import.meta.url);
const MARK = "<!-- From here on `npm run reference` writes this page. -->\n";

/** The page: what is written by hand, and the tables from what the program answers to these verbs. */
export async function comingFromPage(): Promise<string> {
  const [written = ""] = (await readFile(fileURLToPath(PAGE), "utf8")).split(MARK);
  return `${written}${MARK}
## virsh, verb by verb

${await tableOf("virsh", VIRSH)}

## qm, verb by verb

${await tableOf("qm", QM)}
`;
}

async function tableOf(program: string, names: readonly string[]): Promise<string> {
  const rows = await Promise.all(names.map(async (name) => `| \`${name}\` | ${cell(await hereOf(name))} |`));
  return `| ${program} | here |\n|---|---|\n${rows.join("\n")}`;
}

/** What a verb of another program is here. @throws Error when nobody has said it */
export async function hereOf(name: string): Promise<string> {
  if (Object.hasOwn(verbs, name)) return `the same word: ${(await verbs[name]?.())?.verb.summary}`;
  const alias = Object.hasOwn(aliases, name) ? aliases[name] : undefined;
  if (alias !== undefined) {
    const of = (await verbs[alias.verb]?.())?.verb.operands;
    return `understood as \`qmpctl ${[alias.verb, ...(of?.names.slice(0, Math.max(of.required, of.names[0] === "DOMAIN" ? 1 : 0)) ?? []), ...(alias.adds ?? [])].join(" ")}\``;
  }
  const way = wayOfVerb(name, undefined)?.replaceAll("edit CONFIG with", "edit it with") ?? NOT_OURS[name];
  if (way === undefined) throw new Error(`${name}: habits.ts does not say what it is here`);
  return way;
}
