import { shellWord } from "../domain/model/format.ts";

const OFF = "`qmpctl shutdown DOMAIN` asks the guest and waits, `qmpctl destroy DOMAIN` ends it at once";
const MAKE = "`qmpctl define` makes a domain of a file, a command line or a running QEMU; `qmpctl start DOMAIN` starts it";
const GONE = "`qmpctl undefine DOMAIN` deletes the config of a stopped domain and nothing else; `qmpctl destroy DOMAIN` ends a running one";
const BOOT =
  "nothing is started at boot by itself: have a unit of systemd (Type=oneshot, RemainAfterExit=yes) run qmpctl start DOMAIN, and qmpctl shutdown DOMAIN at its stop";
const CONSOLE =
  "where the guest's console is, the config's args say (qmpctl config DOMAIN): with -serial unix:PATH,server=on,wait=off it is socat -,raw,echo=0 UNIX-CONNECT:PATH";
const HOST = "that is about the host, not about a machine: lscpu, free -h, numactl -H";
const DEVICE =
  "`qmpctl qmp DOMAIN device_add driver=… id=…` plugs a device into the running machine, `device_del id=…` unplugs it; for the next start it goes into the args of the config";
const AGENT = "that takes the guest's agent, which no verb speaks to: connectAgent of the library does";
const RAW = "`qmpctl qmp DOMAIN` opens a shell with all that QEMU can do, and TAB shows it";
const PINS = "only vCPUs are bound here (qmpctl vcpupin DOMAIN); taskset -pc CPULIST TID binds other threads";
const NO_LIBVIRT =
  "there is no libvirt here, only domains: DOMAIN is a name, the path of a config, or the address of a monitor, as unix:/run/x.sock";
const LOG =
  "`qmpctl info DOMAIN` tells how a machine ended; what QEMU wrote is in the file output of the machine's folder; `qmpctl events DOMAIN` prints what comes";
const SNAPSHOT =
  "`qmpctl qmp DOMAIN --hmp info snapshots` lists them; `qmpctl qmp DOMAIN` opens a shell with snapshot-save, snapshot-load and snapshot-delete";
const MEDIUM = "`qmpctl qmp DOMAIN blockdev-change-medium id=… filename=…` changes what is in a drive, `eject id=…` empties it";
const EVENTS = "`qmpctl events DOMAIN` prints QEMU's events as they come";
const SET =
  "`qmpctl setmem DOMAIN SIZE`, `setmaxmem`, `setvcpus DOMAIN COUNT`, `vcpupin DOMAIN VCPU CPULIST` change one thing each; `qmpctl apply DOMAIN FILE` several at once";

/** Verbs of others that mean several things here, or nothing: the way, in a line. A name that ends in * stands for all that begin so. */
const verbWays: Readonly<Record<string, string>> = {
  stop: `${OFF}, \`qmpctl suspend DOMAIN\` halts its vCPUs`,
  poweroff: OFF,
  "power-off": OFF,
  halt: OFF,
  kill: OFF,
  reboot:
    "a reboot is for the guest to do, inside of it; `qmpctl reset DOMAIN` turns the machine off and on at once, and `qmpctl restart DOMAIN` shuts it down and starts it anew from its config as it is now",
  create: MAKE,
  run: MAKE,
  new: MAKE,
  add: MAKE,
  import: MAKE,
  install: MAKE,
  delete: GONE,
  remove: GONE,
  rm: GONE,
  purge: GONE,
  get: "`qmpctl list --all` lists the domains, `qmpctl info DOMAIN` tells of one, `qmpctl config DOMAIN` prints its config",
  edit: "a config is a file: edit CONFIG with any editor; the next start reads it, and `qmpctl diff DOMAIN` shows what waits for it",
  set: SET,
  mem: SET,
  memory: SET,
  vcpus: SET,
  cpus: SET,
  scale: SET,
  balloon: "`qmpctl setmem DOMAIN SIZE` changes what the guest has",
  setvcpu: "`qmpctl setvcpus DOMAIN COUNT` says how many there are; which of them, `qmpctl qmp DOMAIN device_add` and `device_del` do",
  rename: "`qmpctl config DOMAIN` prints the config: define that under another --name, and undefine the first",
  domrename: "`qmpctl config DOMAIN` prints the config: define that under another --name, and undefine the first",
  clone: "`qmpctl config DOMAIN` prints the config: define that under another --name, without its id and with disks of its own",
  logs: LOG,
  log: LOG,
  journalctl: LOG,
  console: CONSOLE,
  terminal: CONSOLE,
  ttyconsole: CONSOLE,
  attach: CONSOLE,
  ssh: CONSOLE,
  exec: AGENT,
  top: "`qmpctl vcpuinfo DOMAIN` shows the time that each vCPU has used",
  autostart: BOOT,
  enable: BOOT,
  disable: BOOT,
  mask: BOOT,
  "is-enabled": BOOT,
  "is-active": "`qmpctl info DOMAIN` shows its state; `qmpctl list` lists those that run",
  "try-restart":
    "`qmpctl restart DOMAIN` shuts it down and starts it from its config, also where it is stopped; `qmpctl list` lists those that run",
  reload: "nothing is kept in memory: a config is read whenever it is used",
  "daemon-reload": "nothing is kept in memory: a config is read whenever it is used",
  event: EVENTS,
  watch: EVENTS,
  wait: EVENTS,
  "qemu-monitor-event": EVENTS,
  "domblk*": "`qmpctl qmp DOMAIN query-block` shows the disks, `query-blockstats` what went through them",
  "domif*": "`qmpctl qmp DOMAIN --hmp info network` shows the network cards as QEMU has them",
  domdisplay: "`qmpctl qmp DOMAIN query-vnc` or `query-spice` shows where the screen is",
  vncdisplay: "`qmpctl qmp DOMAIN query-vnc` shows where the screen is",
  "node*": HOST,
  freecell: HOST,
  hostname: HOST,
  capabilities: HOST,
  sysinfo: HOST,
  "attach-*": DEVICE,
  "detach-*": DEVICE,
  "migrate*": "`qmpctl qmp DOMAIN migrate uri=…` begins a migration, `query-migrate` tells how far it is",
  rollback: SNAPSHOT,
  listsnapshot: SNAPSHOT,
  delsnapshot: SNAPSHOT,
  "update-device": MEDIUM,
  "change-media": MEDIUM,
  resize: "`qmpctl qmp DOMAIN block_resize device=… size=…` resizes a disk; " + SET,
  unlock:
    "a lock goes with the process that holds it, and is never to be broken; `qmpctl recover DOMAIN` resolves what was killed in the middle",
  iothreadinfo: "`qmpctl qmp DOMAIN query-iothreads` shows them",
  "snapshot*": "`qmpctl qmp DOMAIN snapshot-save job-id=… tag=… vmstate=… devices=[…]` makes one",
  screenshot: "`qmpctl qmp DOMAIN screendump filename=PATH` makes one",
  sendkey: "`qmpctl qmp DOMAIN --hmp sendkey ctrl-alt-delete` presses keys",
  "send-key": "`qmpctl qmp DOMAIN --hmp sendkey ctrl-alt-delete` presses keys",
  "inject-nmi": "`qmpctl qmp DOMAIN inject-nmi` does it",
  dump: "`qmpctl qmp DOMAIN dump-guest-memory paging=false protocol=file:PATH` writes it",
  save: RAW,
  restore: "a saved state is read by QEMU's own -incoming, or by `loadvm` of the human monitor (qmpctl qmp --hmp)",
  managedsave: RAW,
  "block*": RAW,
  "set-*": RAW,
  "qemu-agent-command": AGENT,
  "guest*": AGENT,
  domtime: AGENT,
  domhostname: AGENT,
  domfsinfo: AGENT,
  emulatorpin: PINS,
  iothreadpin: PINS,
  schedinfo: PINS,
  numatune: PINS,
  memtune: "`qmpctl setmem DOMAIN SIZE` changes what the guest has; limits on the process are the cgroup's",
  connect: NO_LIBVIRT,
  uri: NO_LIBVIRT,
  "net-*": NO_LIBVIRT,
  "pool-*": NO_LIBVIRT,
  "vol-*": NO_LIBVIRT,
};

/** What to do instead of a verb that others have, with the domain that was given; `undefined` for one that is nobody's. */
export function wayOfVerb(name: string, domain: string | undefined): string | undefined {
  return withDomain(lookUp(verbWays, name), domain);
}

function withDomain(way: string | undefined, domain: string | undefined): string | undefined {
  return domain === undefined || domain.startsWith("-") ? way : way?.replaceAll("DOMAIN", () => shellWord(domain));
}

function lookUp(ways: Readonly<Record<string, string>>, name: string): string | undefined {
  if (Object.hasOwn(ways, name)) return ways[name];
  return Object.entries(ways).find(([key]) => key.endsWith("*") && name.startsWith(key.slice(0, -1)))?.[1];
}

const QUIET = "there is nothing to be louder or quieter about: stdout has the answer, stderr the rest";
const STORAGE = "the config alone is deleted: disks and other files stay, and are yours to remove";
const NAMES = "`qmpctl list --json` has that of each, for a program to pick";
const NAMESPACE = "domains have no namespaces: QMPCTL_CONFIG_DIR is the folder that they are in";

/** Options of others by name, or by `VERB NAME` where they mean something else elsewhere. */
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
  "shutdown now": "that is what it does: leave --now out; `qmpctl destroy DOMAIN` does not ask the guest",
  now: "nothing is put off: leave it out",
  wait: "it waits by itself, as long as --timeout says: leave it out",
  persistent: "--config is what stays, --live is now, --both is both",
  scope: "--config, --live or --both says it",
  hard: "`qmpctl destroy DOMAIN` ends it without asking the guest",
  m: SET,
  "events event": "names stand after the domain, as in `qmpctl events DOMAIN SHUTDOWN`; without one all are shown",
  y: "nothing is asked back: leave it out",
  yes: "nothing is asked back: leave it out",
  n: NAMESPACE,
  namespace: NAMESPACE,
  "all-namespaces": NAMESPACE,
  A: NAMESPACE,
  f: "a file is an operand here, as in `qmpctl apply DOMAIN FILE`; `qmpctl events DOMAIN` follows what comes",
  filename: "a file is an operand here, as in `qmpctl apply DOMAIN FILE`",
  follow: EVENTS,
  w: EVENTS,
  watch: EVENTS,
  pretty: "--json is one line: jq lays it out",
  yaml: "--json is what there is",
  guest: "the guest's agent is not asked: setvcpus plugs and unplugs vCPUs, and inside of the guest chcpu turns them on and off",
  hotpluggable: "every vCPU that the machine can unplug may be unplugged: leave it out",
  mode: "shutdown presses the power button (acpi), and nothing else: leave --mode out",
  graceful: "`qmpctl shutdown DOMAIN` is what lets the guest end in good order",
  "destroy force": "destroy does not ask the guest: leave it out",
  "undefine force": "`qmpctl destroy DOMAIN` ends the machine first",
  "shutdown force": "`qmpctl destroy DOMAIN` ends it without asking the guest",
  "restart force": "`qmpctl destroy DOMAIN` ends it without asking the guest, `qmpctl start DOMAIN` starts it",
  inactive: "--all lists those that are stopped, too",
  "list name": NAMES,
  "list id": NAMES,
  "list uuid": NAMES,
  title: NAMES,
  console: CONSOLE,
  autodestroy: "a machine outlives the command that started it: `qmpctl destroy DOMAIN` ends it",
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

/** What to do instead of an option that others have, by its name without dashes; `undefined` for one that is nobody's. */
export function wayOfOption(verb: string, name: string, domain?: string): string | undefined {
  return withDomain(lookUp(optionWays, `${verb} ${name}`) ?? lookUp(optionWays, name), domain);
}
