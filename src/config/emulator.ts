/** What is known about programs from their names: which are QEMU's system emulators, and which only start another program. */

/**
 * Whether a program is a QEMU, by its name. Other names don't tell, and the program has to be asked (`--version`). qemu-img and its like
 * are not, nor are user-mode emulators.
 */
export function isSurelyQemu(program: string): boolean {
  return /^(qemu-system-[\w.+-]+|qemu-kvm|kvm|qemu)$/.test(nameOf(program));
}

/** Whether this is what QEMU's system emulators print for `--version`. */
export function isQemuVersion(said: string): boolean {
  return /^QEMU emulator version \d/m.test(said);
}

/** The name of a program without its folder. */
export function nameOf(program: string): string {
  return program.slice(program.lastIndexOf("/") + 1);
}

const INHERITED = "QEMU inherits it: put it in front of qmpctl start";
const USER = "a machine is its config's owner's: run qmpctl define and start as that user";
const WATCHED = "watch the QEMU that runs: qmpctl info has its process id";
const BACKGROUND = "nothing in its place: start puts the machine in the background itself";
const CONTAINER = "a machine in a container is managed from inside: run qmpctl there";
const SHELL = "write the command into a file and define that, or give it without";

/** Programs that run another one, and what to do in their place. */
const WRAPPERS: ReadonlyMap<string, string> = new Map([
  ["taskset", 'the key "vcpus.pin" pins each vCPU, and taskset in front of qmpctl start all of QEMU'],
  ["numactl", '-object memory-backend-ram,host-nodes=… and "vcpus.pin" for the guest\'s nodes, or numactl in front of qmpctl start'],
  ...named(
    "cset schedtool nice ionice chrt prlimit setarch linux32 linux64 i386 x86_64 uname26 setpriv env stdbuf cgexec systemd-run firejail unshare nsenter ip firewall-exec choom coresched uclampset faketime hugectl",
    INHERITED,
  ),
  ...named("sudo doas su runuser pkexec sg newgrp gosu setuidgid", USER),
  ...named("strace ltrace gdb lldb valgrind perf rr catchsegv", WATCHED),
  ...named("nohup setsid daemonize start-stop-daemon screen tmux dtach disown at batch", BACKGROUND),
  ...named("docker podman nerdctl lxc-attach lxc kubectl machinectl bwrap proot toolbox distrobox flatpak-spawn", CONTAINER),
  ...named("sh bash dash ash zsh ksh mksh fish busybox", SHELL),
  ...named("time", "nothing in its place: qmpctl vcpuinfo has the time that vCPUs used"),
  ...named("timeout", "qmpctl shutdown or destroy ends the machine"),
  ...named("flock", "nothing in its place: qmpctl locks the machine itself"),
  ...named("chroot", "QEMU's own -run-with chroot=FOLDER (-chroot before QEMU 9)"),
  ...named(
    "xvfb-run xinit startx dbus-run-session dbus-launch vglrun",
    "-display none, -vnc or -spice: a machine in the background has no desktop",
  ),
  ...named("ssh mosh", "define it on that host; qmpctl reaches the QEMU there by exec:ssh HOST …"),
  ...named("systemd-inhibit watch script unbuffer xargs parallel socat", "leave it out"),
  ...named("exec command builtin", "leave it out: it is the shell's own"),
]);

function named(names: string, now: string): (readonly [string, string])[] {
  return names.split(" ").map((name) => [name, now] as const);
}

/**
 * Why a command line does not begin with an emulator, if its first word shows that: it is an option, a variable, or a program that runs
 * another one. Undefined for any other program, which may be a QEMU under any name.
 */
export function whyNoEmulator([first = "", ...words]: readonly string[]): string | undefined {
  if (first === "") return "it is empty, and should begin with the emulator";
  if (first.startsWith("-")) return "it begins with an option, not with the emulator";
  if (/^\w+=/.test(first)) return `it begins with a variable, not with the emulator: a launch config has no environment; ${INHERITED}`;
  const now = WRAPPERS.get(nameOf(first));
  if (now === undefined) return undefined;
  const behind = words.find((word) => isSurelyQemu(word));
  return `it begins with ${nameOf(first)}, not with the emulator${behind === undefined ? "" : `, ${behind}, that it runs`}: take it out; ${now}`;
}
