import { shellWord } from "../domain/model/format.ts";
import { AGENT, rarerWays } from "./rarer-habits.ts";

const OFF = "`qmpctl shutdown DOMAIN` asks the guest and waits, `qmpctl destroy DOMAIN` ends it at once";
const MAKE = "`qmpctl define` makes a domain from a file, a command line or a running QEMU; `qmpctl start DOMAIN` starts it";
const GONE =
  "`qmpctl undefine DOMAIN` deletes the config of a stopped domain, and nothing else; `qmpctl destroy DOMAIN` ends a running one";
const BOOT = "`qmpctl autostart DOMAIN` has it start with the host, `--disable` takes that back, and `qmpctl info DOMAIN` shows it";
const CONSOLE =
  "the args of the config say where the guest's console is (qmpctl config DOMAIN); for -serial unix:PATH,server=on,wait=off, use socat -,raw,echo=0 UNIX-CONNECT:PATH";
const HOST = "that is about the host, not about a domain: use lscpu, free -h or numactl -H";
const ATTACH =
  "`qmpctl attach DOMAIN -blockdev driver=raw,node-name=d1,file.driver=file,file.filename=PATH -device virtio-blk-pci,drive=d1,id=disk1` plugs a disk, `-netdev user,id=n1 -device virtio-net-pci,netdev=n1,id=nic1` a network card; with --static too for the next start";
const DETACH = "`qmpctl detach DOMAIN ID` unplugs a device and frees what it used; with --static too for the next start";
const RAW = "`qmpctl qmp DOMAIN` opens a shell with all commands of QEMU, and TAB lists them";
const PINS =
  "threads can be bound to CPUs (qmpctl vcpupin DOMAIN, qmpctl emulatorpin DOMAIN, qmpctl iothreadpin DOMAIN); taskset -pc CPULIST TID binds other threads";
const NO_LIBVIRT =
  "there is no libvirt here: DOMAIN is a name, the path of a config, or the address of a monitor, such as unix:/run/x.sock";
const LOG =
  "`qmpctl history DOMAIN` shows what was done to it, `qmpctl info DOMAIN` how it ended; the file output in the machine's folder has what QEMU wrote; `qmpctl events DOMAIN` prints events as they come";
const SNAPSHOT =
  "`qmpctl qmp DOMAIN --hmp info snapshots` lists them; `qmpctl qmp DOMAIN` opens a shell with snapshot-save, snapshot-load and snapshot-delete";
const MEDIUM = "`qmpctl change-media DOMAIN DRIVE FILE` changes what is in a drive, `--eject` empties it";
const VIRTIO_MEM =
  "`qmpctl setmem DOMAIN SIZE --device ID` changes what a virtio-mem device gives, and `qmpctl diff DOMAIN` lists the devices";
const EVENTS = "`qmpctl events DOMAIN` prints QEMU's events as they come";
const LIVE = "`qmpctl top` shows all domains live; " + EVENTS;
const STATS = "`qmpctl stats DOMAIN` shows what was read and written, `qmpctl domblklist DOMAIN` the disks";
const FILES = "write files and folders as operands, as in `qmpctl apply FOLDER` or `qmpctl apply DOMAIN FILE`";
const SET =
  "`qmpctl setmem DOMAIN SIZE`, `setmaxmem`, `setvcpus DOMAIN COUNT`, `vcpupin DOMAIN VCPU CPULIST` change one thing each; `qmpctl apply DOMAIN FILE` several at once";

/** What to do instead of a verb of another program that means several things here, or nothing. A * at the end stands for any ending. */
const verbWays: Readonly<Record<string, string>> = {
  stop: `${OFF}, \`qmpctl suspend DOMAIN\` halts its vCPUs`,
  poweroff: OFF,
  "power-off": OFF,
  halt: OFF,
  kill: OFF,
  reboot:
    "reboot inside the guest; `qmpctl reset DOMAIN` turns the machine off and on at once, and `qmpctl restart DOMAIN` shuts it down and starts it from its config",
  create: MAKE,
  new: MAKE,
  add: MAKE,
  import: MAKE,
  install: MAKE,
  delete: GONE,
  remove: GONE,
  rm: GONE,
  purge: GONE,
  get: "`qmpctl list --all` lists the domains, `qmpctl info DOMAIN` shows one, `qmpctl config DOMAIN` prints its config",
  set: SET,
  mem: SET,
  memory: SET,
  vcpus: SET,
  cpus: SET,
  scale: SET,
  balloon: "`qmpctl setmem DOMAIN SIZE` changes what the guest has",
  "virtio-mem": "`qmpctl setmem DOMAIN SIZE --device ID` changes what a virtio-mem device gives",
  rename: "`qmpctl config DOMAIN` prints the config: define it under another --name, then undefine the first",
  domrename: "`qmpctl config DOMAIN` prints the config: define it under another --name, then undefine the first",
  clone: "`qmpctl config DOMAIN` prints the config: remove its id, give it other disks, and define it under another --name",
  logs: LOG,
  log: LOG,
  journalctl: LOG,
  console: CONSOLE,
  terminal: CONSOLE,
  ttyconsole: CONSOLE,
  ssh: CONSOLE,
  exec: AGENT,
  enable: BOOT,
  disable: BOOT,
  mask: BOOT,
  "is-enabled": BOOT,
  "is-active": "`qmpctl info DOMAIN` shows its state; `qmpctl list` lists running machines",
  "try-restart":
    "`qmpctl restart DOMAIN` shuts it down and starts it from its config, even if it is stopped; `qmpctl list` lists running machines",
  reload: "there is no daemon: a config is read each time it is used",
  "daemon-reload": "there is no daemon: a config is read each time it is used",
  event: EVENTS,
  watch: LIVE,
  "virt-top": LIVE,
  wait: "`qmpctl start DOMAIN --wait` and `qmpctl shutdown DOMAIN` wait for the guest; " + EVENTS,
  "qemu-monitor-event": EVENTS,
  domblkstat: STATS,
  domifstat:
    "`qmpctl stats DOMAIN` shows what its TAP interfaces received and sent; `qmpctl qmp DOMAIN --hmp info network` shows the network cards",
  "domblk*": "`qmpctl domblklist DOMAIN` shows the disks, `qmpctl stats DOMAIN` their traffic",
  "domif*": "`qmpctl qmp DOMAIN --hmp info network` shows the network cards",
  domdisplay: "`qmpctl qmp DOMAIN query-vnc` or `query-spice` shows where the screen is",
  vncdisplay: "`qmpctl qmp DOMAIN query-vnc` shows where the screen is",
  "node*": HOST,
  freecell: HOST,
  hostname: HOST,
  capabilities: HOST,
  sysinfo: HOST,
  "attach-*": ATTACH,
  "detach-*": DETACH,
  "migrate*": "`qmpctl qmp DOMAIN migrate uri=…` starts a migration, `query-migrate` shows its progress",
  rollback: SNAPSHOT,
  listsnapshot: SNAPSHOT,
  delsnapshot: SNAPSHOT,
  "update-device": MEDIUM,
  eject: MEDIUM,
  resize: "`qmpctl blockresize DOMAIN DISK SIZE` makes a disk larger; " + SET,
  unlock:
    "a lock ends with the process that holds it; never remove one by hand; `qmpctl recover DOMAIN` resolves a change that was killed halfway",
  "cpu-stats": "`qmpctl stats DOMAIN` shows the time that QEMU and each vCPU have used, `qmpctl threads DOMAIN` that of each thread",
  domjobinfo: "`qmpctl qmp DOMAIN query-migrate`, `query-block-jobs` or `query-jobs` show what is under way",
  dompmsuspend: "suspend it inside of the guest; `qmpctl suspend DOMAIN` pauses its vCPUs, and `qmpctl resume DOMAIN` wakes it",
  dompmwakeup: "`qmpctl resume DOMAIN` wakes a sleeping guest",
  iothreadinfo: "`qmpctl threads DOMAIN` shows them, `qmpctl qmp DOMAIN query-iothreads` how they poll",
  "snapshot*": "`qmpctl qmp DOMAIN snapshot-save job-id=… tag=… vmstate=… devices=[…]` makes one",
  screenshot: "`qmpctl qmp DOMAIN screendump filename=PATH` makes one",
  sendkey: "`qmpctl qmp DOMAIN --hmp sendkey ctrl-alt-delete` presses keys",
  "send-key": "`qmpctl qmp DOMAIN --hmp sendkey ctrl-alt-delete` presses keys",
  "inject-nmi": "`qmpctl qmp DOMAIN inject-nmi` does it",
  dump: "`qmpctl qmp DOMAIN dump-guest-memory paging=false protocol=file:PATH` writes it",
  save: RAW,
  restore: "QEMU reads a saved state with -incoming, or with `loadvm` of the human monitor (qmpctl qmp --hmp)",
  managedsave: RAW,
  "block*": RAW,
  "set-*": RAW,
  "qemu-agent-command": AGENT,
  "guest*": AGENT,
  domtime: AGENT,
  domhostname: AGENT,
  domfsinfo: AGENT,
  schedinfo:
    "`qmpctl setcpu DOMAIN --quota 150%` limits QEMU's CPU time, --weight N weighs it against others (cpu_shares 1024 is weight 100), and `qmpctl diff DOMAIN` shows both; `qmpctl vcpusched DOMAIN VCPU POLICY`, `emulatorsched` and `iothreadsched` set the policy of threads",
  numatune: PINS,
  memtune: "`qmpctl setmem DOMAIN SIZE` changes what the guest has; to limit the process, use its cgroup",
  connect: NO_LIBVIRT,
  uri: NO_LIBVIRT,
  "net-*": NO_LIBVIRT,
  "pool-*": NO_LIBVIRT,
  "vol-*": NO_LIBVIRT,
};

/** What to do instead of another program's verb, for the given domain. `undefined` if we know of no such verb. */
export function wayOfVerb(name: string, domain: string | undefined): string | undefined {
  return withDomain(lookUp(verbWays, name) ?? lookUp(rarerWays, name), domain);
}

function withDomain(way: string | undefined, domain: string | undefined): string | undefined {
  return domain === undefined || domain.startsWith("-") ? way : way?.replaceAll("DOMAIN", () => shellWord(domain));
}

function lookUp(ways: Readonly<Record<string, string>>, name: string): string | undefined {
  if (Object.hasOwn(ways, name)) return ways[name];
  return Object.entries(ways).find(([key]) => key.endsWith("*") && name.startsWith(key.slice(0, -1)))?.[1];
}

const QUIET = "there is one level of output: stdout has the answer, stderr has the rest; leave it out";
const STORAGE = "undefine deletes only the config: remove disks and other files yourself";
const NAMES = "`qmpctl list --json` has it for every domain";
const NAMESPACE = "domains have no namespaces: they are in one folder, QMPCTL_CONFIG_DIR";

/** What to do instead of an option of another program, by its name, or by `VERB NAME` if it means something else with other verbs. */
const optionWays: Readonly<Record<string, string>> = {
  c: NO_LIBVIRT,
  connect: NO_LIBVIRT,
  r: NO_LIBVIRT,
  readonly: NO_LIBVIRT,
  q: QUIET,
  quiet: QUIET,
  v: QUIET,
  verbose: QUIET,
  d: QUIET,
  debug: QUIET,
  "shutdown r": "`qmpctl restart DOMAIN` shuts it down and starts it again",
  "shutdown now": "shutdown starts at once: leave --now out; `qmpctl destroy DOMAIN` does not ask the guest",
  now: "everything is done at once: leave it out",
  wait: "it waits anyway, up to --timeout: leave it out",
  persistent: "use --config for the next start, --live for now, --both for both",
  scope: "use --config, --live or --both",
  hard: "`qmpctl destroy DOMAIN` ends it without asking the guest",
  m: SET,
  "events event": "write names after the domain, as in `qmpctl events DOMAIN SHUTDOWN`; without a name all are shown",
  y: "nothing asks for confirmation: leave it out",
  yes: "nothing asks for confirmation: leave it out",
  n: NAMESPACE,
  namespace: NAMESPACE,
  "all-namespaces": NAMESPACE,
  A: NAMESPACE,
  "apply f": FILES,
  "apply R": "a folder is read without the folders in it: leave -R out",
  "apply recursive": "a folder is read without the folders in it: leave --recursive out",
  "history f": "it ends: `watch qmpctl history DOMAIN -n 5` shows it again and again; " + EVENTS,
  "history until": "--since says where it begins, and --json has the time of each for jq",
  f: `${FILES}; \`qmpctl events DOMAIN\` follows events`,
  filename: FILES,
  follow: LIVE,
  w: LIVE,
  watch: LIVE,
  pretty: "use --json, and jq to format it",
  yaml: "use --json",
  "iothreadadd id": "write the id as an operand: `qmpctl iothreadadd DOMAIN ID`",
  "iothreaddel id": "write the id as an operand: `qmpctl iothreaddel DOMAIN ID`",
  "iothreadset id": "write the id as an operand: `qmpctl iothreadset DOMAIN ID --poll-max-ns N`",
  hotpluggable: "any vCPU that the machine can unplug may be unplugged: leave it out",
  "setmem node": VIRTIO_MEM,
  "setmem print-xml": VIRTIO_MEM,
  "change-media print-xml": "--dry-run shows what would be done, and the config's lines before and after",
  "setmem virtio-mem": VIRTIO_MEM,
  mode: "shutdown always presses the power button (acpi): leave --mode out",
  graceful: "`qmpctl shutdown DOMAIN` lets the guest shut down cleanly",
  "destroy force": "destroy does not ask the guest: leave it out",
  "undefine force": "`qmpctl destroy DOMAIN` ends the machine first",
  "shutdown force": "`qmpctl destroy DOMAIN` ends it without asking the guest",
  "restart force": "`qmpctl destroy DOMAIN` ends it without asking the guest, `qmpctl start DOMAIN` starts it",
  inactive: "--all also lists stopped domains",
  "list name": NAMES,
  "list id": NAMES,
  "list uuid": NAMES,
  title: NAMES,
  console: CONSOLE,
  autodestroy: "a machine goes on when the command that started it ends: `qmpctl destroy DOMAIN` ends it",
  nvram: STORAGE,
  storage: STORAGE,
  "remove-all-storage": STORAGE,
  "wipe-storage": STORAGE,
  "snapshots-metadata": STORAGE,
  "managed-save": STORAGE,
  memory: SET,
  cores: SET,
  vcpus: SET,
  balloon: SET,
};

/** What to do instead of another program's option, by its name without dashes. `undefined` if we know of no such option. */
export function wayOfOption(verb: string, name: string, domain?: string): string | undefined {
  return withDomain(lookUp(optionWays, `${verb} ${name}`) ?? lookUp(optionWays, name), domain);
}
