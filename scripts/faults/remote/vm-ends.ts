import type { HostVm, Login } from "../../lab/host-vm.ts";
import { Broken } from "../check.ts";

/** A machine without a guest: the policies of its threads can be changed, and are what the kernel says. */
const MACHINE = "qemu-system-x86_64 -machine q35,accel=tcg -nodefaults -display none -m 64M -device virtio-balloon-pci,id=balloon0";

/**
 * Tries changes with an end on a real Debian, by the timers of its systemd: of root, of a user who lingers, and of one who does not; over a
 * log-out, with a drift in between, and over a loss of power. @throws Broken
 */
export async function tryEnds(vm: HostVm, say: (line: string) => void): Promise<void> {
  await staysAfterLogout(vm, "root", say);
  await withoutLingering(vm, say);
  {
    await using root = await vm.login("root");
    await root.ok("loginctl enable-linger user");
  }
  await staysAfterLogout(vm, "user", say);
  await powerLost(vm, say);
}

/** Two changes with an end, one of them changed by somebody before; nobody is logged in when they come. */
async function staysAfterLogout(vm: HostVm, user: "root" | "user", say: (line: string) => void): Promise<void> {
  {
    await using login = await vm.login(user);
    await login.ok(`qmpctl define --name ends -- ${MACHINE}; qmpctl start ends --paused`);
    const told = await login.ok("qmpctl vcpusched ends 0 batch --live --for 60s; qmpctl emulatorsched ends batch --live --for 60s");
    await login.ok("qmpctl emulatorsched ends idle --live --force");
    say(`${user}: ${lineWith(told, /^note: until/)}`);
    await expect(login, "qmpctl info ends", /until +\d{4}-.*vcpu-sched 0 batch, then other again.*qmpctl-end-\w+-1\.timer/s);
    await shows(login, "vCPU 0.*batch");
  }
  await using later = await vm.login(user);
  await ended(later, "vcpu-sched 0");
  await ended(later, "emulator-sched");
  await shows(later, "vCPU 0.*other");
  await shows(later, "main.*idle");
  const manager = user === "root" ? "" : "--user ";
  await expect(
    later,
    `journalctl ${manager}--no-pager -o cat -u 'qmpctl-end-*'`,
    /emulator-sched: left at batch, is idle now: not touched/,
  );
  await expect(later, `systemctl ${manager}list-timers --all --no-legend 'qmpctl-end-*'`, /^$/);
  say(`${user}: taken back while nobody was logged in, and what was changed in between was not`);
  await later.ok("qmpctl vcpusched ends 0 batch --live --for 1h; qmpctl destroy ends");
  await expect(later, `systemctl ${manager}list-timers --all --no-legend 'qmpctl-end-*'`, /^$/);
  say(`${user}: destroy took the timer away`);
}

/**
 * Of a user who does not linger: `at` outlives his sessions, and his own systemd does not, which he is told. His machine ends with them.
 */
async function withoutLingering(vm: HostVm, say: (line: string) => void): Promise<void> {
  await using root = await vm.login("root");
  const hasAt = (await root.run("systemctl is-active --quiet atd")).code === 0;
  {
    await using login = await vm.login("user");
    await login.ok(`qmpctl define --name ends -- ${MACHINE}; qmpctl start ends --paused`);
    if (hasAt) {
      await expect(login, "qmpctl vcpusched ends 0 batch --live --for 10s", /until .*then other again \(at job \d+\)/);
      await ended(login, "vcpu-sched 0");
      await shows(login, "vCPU 0.*other");
      await login.ok("qmpctl vcpusched ends 0 batch --live --for 1d; qmpctl revert ends");
      await expect(login, "atq", /^$/);
      say("a user who does not linger: taken back by at, and another job of at taken away");
    }
    await root.ok("systemctl stop atd || :");
    const told = /ends with the last log-out.*loginctl enable-linger/s;
    await expect(login, "qmpctl vcpusched ends 0 batch --live --for 20s", told);
    await ended(login, "vcpu-sched 0");
    await login.ok("qmpctl vcpusched ends 0 batch --live --for 1h");
  }
  await root.ok("while pgrep -u user qemu >/dev/null; do sleep 0.5; done");
  await using login = await vm.login("user");
  const info = await login.ok("qmpctl info ends");
  if (/^until/m.test(info)) throw new Broken(`a machine that ended with the session has an end still: ${info}`);
  await root.ok("systemctl start atd || :");
  say("without at, he is told that the timer goes with his last session; so did his machine");
}

/** With the host, the machine is gone, and so is what was to be taken back. */
async function powerLost(vm: HostVm, say: (line: string) => void): Promise<void> {
  for (const user of ["root", "user"] as const) {
    await using login = await vm.login(user);
    await login.ok("qmpctl start ends --paused; qmpctl vcpusched ends 0 batch --live --for 1h; sync");
  }
  await vm.reset();
  for (const user of ["root", "user"] as const) {
    await using login = await vm.login(user);
    const info = await login.ok("qmpctl info ends");
    if (!/stopped/.test(info) || /^until/m.test(info)) throw new Broken(`${user}: after a loss of power: ${info}`);
    await login.ok("qmpctl start ends --paused");
    await expect(login, "qmpctl info ends | grep -c ^until || :", /^0$/m);
    await login.ok("qmpctl vcpusched ends 0 batch --live --until 07:00; qmpctl persist ends; qmpctl destroy ends; qmpctl undefine ends");
  }
  say("after a loss of power nothing is left to take back, and the next machine knows nothing of it");
}

/** Waits until `info` tells of the last end that it was of this, or that this end is over. */
async function ended(login: Login, what: string): Promise<void> {
  await login.ok(`while qmpctl info ends | grep '^until' | grep -q '${what} '; do sleep 1; done`);
}

/** Waits until a thread has what it is to have: a reading may be late on a busy host. A machine that has ended is waited for no longer. */
async function shows(login: Login, thread: string): Promise<void> {
  await login.ok(`until qmpctl threads ends | grep -q '${thread}'; do ! qmpctl info ends | grep -q stopped || exit 1; sleep 1; done`);
}

async function expect(login: Login, command: string, wanted: RegExp): Promise<void> {
  const said = await login.ok(command);
  if (!wanted.test(said)) throw new Broken(`${command}: ${said}`);
}

function lineWith(text: string, wanted: RegExp): string {
  return text.split("\n").find((line) => wanted.test(line)) ?? text;
}
