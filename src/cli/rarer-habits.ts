/** For what only the agent in the guest can do. */
export const AGENT =
  "that needs the guest agent: `qmpctl info DOMAIN` and `qmpctl setvcpus DOMAIN COUNT --guest` ask it for vCPUs and memory; for the rest, use connectAgent of the library";

const TAGS = "a config keeps the keys that qmpctl does not know: write it into CONFIG with an editor, as a key of your own";
const MIGRATE = "`qmpctl qmp DOMAIN migrate uri=…` starts a migration, `query-migrate` shows its progress";
const DISKS =
  "`qmpctl domblklist DOMAIN` shows the disks, `qmpctl blockresize DOMAIN DISK SIZE` makes one larger, attach and detach plug and unplug one; images are made, copied and moved with qemu-img";
const SAVED = "QEMU reads a saved state with -incoming, or with `loadvm` of the human monitor (qmpctl qmp --hmp)";
const NATIVE = "a domain is QEMU's own command line: `qmpctl define` reads one from a script or after --, `qmpctl config DOMAIN` prints it";
const SEV = "`qmpctl qmp DOMAIN` opens a shell, in which query-sev-launch-measure and sev-inject-launch-secret do it";

/** What to do instead of verbs of virsh and qm that few people type. A * at the end stands for any ending. */
export const rarerWays: Readonly<Record<string, string>> = {
  agent: AGENT,
  "domfs*": AGENT,
  "get-user-*": AGENT,
  "send-process-signal": AGENT,
  blkiotune: "`qmpctl blkdeviotune DOMAIN DISK --iops N` limits a disk; to weigh the process, use its cgroup",
  perf: "perf kvm stat, or perf with --pid, measures QEMU: `qmpctl threads DOMAIN` shows its threads",
  domjobabort: "`qmpctl qmp DOMAIN migrate_cancel` or `block-job-cancel device=…` ends it",
  "domdirtyrate-calc": "`qmpctl qmp DOMAIN calc-dirty-rate calc-time=1` measures it, `query-dirty-rate` shows it",
  domlaunchsecinfo: SEV,
  domsetlaunchsecstate: SEV,
  desc: TAGS,
  metadata: TAGS,
  "domxml-*": NATIVE,
  showcmd: NATIVE,
  importovf: NATIVE,
  "qemu-attach": "`qmpctl define --pid PID` makes a domain of a QEMU that runs",
  "managedsave-*": SAVED,
  "save-image-*": SAVED,
  "remote-migrate": MIGRATE,
  nbdstop: MIGRATE,
  cloudinit: "a seed image is a drive as any other: `qmpctl change-media DOMAIN DRIVE FILE`, or attach one",
  template: "`qmpctl config DOMAIN` prints the config: remove its id, give it other disks, and define it under another --name",
  vncproxy: "`qmpctl qmp DOMAIN query-vnc` shows where the screen is",
  disk: DISKS,
  importdisk: DISKS,
  "move-disk": DISKS,
  rescan: DISKS,
  unlink: DISKS,
};
