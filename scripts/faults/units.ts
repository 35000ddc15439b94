import { basename, dirname, join } from "node:path";
import { bootHost, type HostVm, type Login } from "../lab/host-vm.ts";
import { privateFolder } from "../lab/machine.ts";
import { TINY_OFF, TINY_UP, tinyGuestArgs, writeTinyGuest } from "../lab/tiny-guest.ts";
import { Broken } from "./check.ts";

type Say = (line: string) => void;

/** A machine that is tried under systemd: root's, or a user's. */
interface Tried {
  readonly vm: HostVm;
  readonly user: "root" | "user";
  /** `systemctl`, for whose manager it is. */
  readonly systemctl: string;
  readonly home: string;
  readonly say: Say;
}

const UNIT = "qmpctl-web1.service";

/** What the guest's console has, of all its lives: its log is written on, and is on the host's disk. */
const SERIAL = "serial";

const DISK = "/opt/guest/tiny.img";

/** A guest that is up soon even where the emulated host emulates it, and whose power button works. */
function define(home: string): string {
  const console = ["-chardev", `file,id=c,path=${home}/${SERIAL},append=on`, "-serial", "chardev:c"];
  const words = [...tinyGuestArgs(DISK), ...console, "-cpu", "Nehalem", "-display", "none", "-m", "64M", "-smp", "1"];
  return `qmpctl define --name web1 -- qemu-system-x86_64 ${words.join(" ")}`;
}

/**
 * Tries machines under systemd on a real Debian: as root and as a user who lingers. The unit is installed, the host boots, shuts down; QEMU
 * and `run` itself are killed; a share of the CPUs is set. @throws Broken
 */
export async function tryUnits(image: string, say: Say): Promise<void> {
  await using vm = await bootHost(image);
  say(`the host was up after ${Math.round(vm.bootTime / 1000)} s`);
  await using folder = await privateFolder("qm-tiny-");
  await writeTinyGuest(join(folder.path, basename(DISK)));
  await vm.send(folder.path, dirname(DISK), [basename(DISK)]);
  await tryOne({ vm, user: "root", systemctl: "systemctl", home: "/root", say });
  {
    await using root = await vm.login("root");
    await root.ok("qmpctl autostart web1 --disable; systemctl stop qmpctl-web1; qmpctl undefine web1; loginctl enable-linger user");
  }
  const systemctl = "XDG_RUNTIME_DIR=/run/user/1000 systemctl --user";
  await tryOne({ vm, user: "user", systemctl, home: "/home/user", say });
}

async function tryOne(tried: Tried): Promise<void> {
  const { vm, user, home, say } = tried;
  {
    await using login = await vm.login(user);
    await login.ok(define(home));
    await installed(tried, login);
    await underSystemd(tried, login);
  }
  say(`${user}: the host reboots`);
  const before = await lives(tried);
  await vm.reboot();
  await using login = await vm.login(user);
  await until(login, `${tried.systemctl} is-active ${UNIT}`, "it is up after the host's boot");
  await until(login, `grep -c ${TINY_UP} ${home}/${SERIAL} | grep -qx ${before.ready + 1}`, "its guest is up after the host's boot");
  const after = await lives(tried);
  expect(after.off === before.off + 1, `the host's shutdown was the guest's: ${JSON.stringify({ before, after })}`);
  say(`${user}: after a reboot of the host it runs, and its guest was shut down in order before: ${JSON.stringify({ before, after })}`);
  say(await login.ok(`${tried.systemctl} status --no-pager --full ${UNIT} || :`));
}

/** It is installed and enabled, twice the same, and not started. */
async function installed({ systemctl, user, say }: Tried, login: Login): Promise<void> {
  const first = await login.ok("qmpctl autostart web1");
  const second = await login.ok("qmpctl autostart web1");
  expect(/starts with the host/.test(first) && /as before/.test(second), `${first}${second}`);
  const state = await login.ok(`${systemctl} is-enabled ${UNIT}; ${systemctl} is-active ${UNIT} || :`);
  expect(state === "enabled\ninactive\n", `enabled, and not started: ${state}`);
  expect(/autostart +yes/.test(await login.ok("qmpctl info web1")), "info shows it");
  const verified = await login.run(`systemd-analyze ${user === "root" ? "" : "--user"} verify ${UNIT} 2>&1 | grep web1 || :`);
  expect(verified.stdout === "", `systemd-analyze verify: ${verified.stdout}`);
  say(`${user}: ${first.trim()}`);
}

/** What systemd does with it, and what our verbs do with it meanwhile. */
async function underSystemd(tried: Tried, login: Login): Promise<void> {
  const { systemctl, user, home, say } = tried;
  await login.ok(`${systemctl} start ${UNIT}`);
  say(`${user}: systemctl start came back when it ran: ${(await login.ok("qmpctl list")).split("\n")[1]}`);
  const group = await groupOf(login);
  expect(group.includes(`/${UNIT}/qmpctl-`), `QEMU is in a group of its own below its unit: ${group}`);
  await login.ok("qmpctl setcpu web1 --quota 150% --weight 200 --both");
  await login.ok(`${systemctl} daemon-reload`);
  const limits = await login.ok(`cat /sys/fs/cgroup${group}/cpu.max /sys/fs/cgroup${group}/cpu.weight`);
  expect(limits === "150000 100000\n200\n", `its share of the CPUs: ${limits}`);
  say(`${user}: its share of the CPUs is set in ${group}, and stays over a daemon-reload`);
  await until(login, `grep -q ${TINY_UP} ${home}/${SERIAL}`, "its guest is up");
  const refused = await login.run("qmpctl start web1");
  expect(refused.code === 3, `a second start: ${refused.code}`);
  await crashes(tried, login);
  await restarts(tried, login);
  await stops(tried, login);
}

/** QEMU, and then `run` itself, are killed: systemd starts it again, and nothing is left behind. */
async function crashes({ systemctl, user, say }: Tried, login: Login): Promise<void> {
  for (const [what, find] of [
    ["QEMU", "pgrep -u $(id -u) -f '^qemu-system.*web1'"],
    ["run", `${systemctl} show --value -p MainPID ${UNIT}`],
  ] as const) {
    const old = (await login.ok("pgrep -u $(id -u) -f '^qemu-system.*web1'")).trim();
    await login.ok(`kill -KILL $(${find})`);
    await until(login, `! kill -0 ${old} 2>/dev/null`, `QEMU ends when ${what} is killed`);
    await until(login, `${systemctl} is-active ${UNIT} && qmpctl list | grep running`, `it is started again when ${what} was killed`);
    const now = (await login.ok("pgrep -u $(id -u) -f '^qemu-system.*web1'")).trim();
    expect(now !== old && /^\d+$/.test(now), `one other QEMU runs: ${old}, then ${now}`);
    say(`${user}: ${what} was killed: the unit started it again (${old}, then ${now})`);
  }
}

/** A restart by our verb, one by systemd, and a crash budget that these don't use up. */
async function restarts(tried: Tried, login: Login): Promise<void> {
  const { systemctl, user, home, say } = tried;
  const main = await login.ok(`${systemctl} show --value -p MainPID ${UNIT}`);
  await guestUp(tried, login, () => login.ok("qmpctl restart web1 --timeout 10m"));
  const group = await groupOf(login);
  expect(group.includes(`/${UNIT}/qmpctl-`), `after a restart it is in its unit still: ${group}`);
  expect((await login.ok(`${systemctl} show --value -p MainPID ${UNIT}`)) === main, "the same run supervises it");
  expect(/150000/.test(await login.ok(`cat /sys/fs/cgroup${group}/cpu.max`)), "its share is what the config says");
  say(`${user}: qmpctl restart: the same unit, the same main process, another QEMU, its share of the CPUs again`);
  const before = await lives(tried);
  await guestUp(tried, login, () => login.ok(`${systemctl} restart ${UNIT}`));
  const after = await lives(tried);
  expect(after.off === before.off + 1, `systemctl restart shuts the guest down: ${JSON.stringify({ before, after })}`);
  say(`${user}: systemctl restart shut the guest down in order; its log is ${home}/${SERIAL}`);
}

/** By systemctl, and by our verbs: each leaves the unit inactive, not failed. */
async function stops(tried: Tried, login: Login): Promise<void> {
  const { systemctl, user, say } = tried;
  // The last life is one that runs.
  await login.ok(`${systemctl} stop ${UNIT}`);
  for (const stop of [`${systemctl} stop ${UNIT}`, "qmpctl shutdown web1 --timeout 10m", "qmpctl destroy web1"]) {
    await guestUp(tried, login, () => login.ok(`${systemctl} start ${UNIT}`));
    await login.ok(stop);
    await until(login, `! ${systemctl} is-active ${UNIT}`, `${stop}: the unit ends`);
    const state = (await login.ok(`${systemctl} show --value -p ActiveState -p Result ${UNIT}`)).trim().replace("\n", ", ");
    expect(/inactive/.test(state) && /success/.test(state), `${stop}: ${state}`);
    say(`${user}: ${stop}: ${state}`);
  }
  await guestUp(tried, login, () => login.ok(`${systemctl} start ${UNIT}`));
}

/** Does what starts it, and waits until that guest is up. */
async function guestUp(tried: Tried, login: Login, start: () => Promise<unknown>): Promise<void> {
  const { ready } = await lives(tried);
  await start();
  await until(login, `[ $(grep -c ${TINY_UP} ${tried.home}/${SERIAL}) -gt ${ready} ]`, "its guest is up");
}

/** How often its guests were up, and were shut down. */
async function lives({ vm, home }: Tried): Promise<{ readonly ready: number; readonly off: number }> {
  await using root = await vm.login("root");
  const count = async (word: string): Promise<number> => Number(await root.ok(`grep -c ${word} ${home}/${SERIAL} || :`));
  return { ready: await count(TINY_UP), off: await count(TINY_OFF) };
}

async function groupOf(login: Login): Promise<string> {
  return (await login.ok("sed -n 's/^0:://p' /proc/$(pgrep -u $(id -u) -f '^qemu-system.*web1')/cgroup")).trim();
}

/** Waits there, for some minutes at most: a busy machine emulates it at a fifth of its usual pace. @throws Broken */
async function until(login: Login, what: string, meaning: string): Promise<void> {
  const { code } = await login.run(`for i in $(seq 600); do if ${what}; then exit 0; fi; sleep 0.5; done; exit 9`);
  if (code === 0) return;
  const { stdout } = await login.run("qmpctl info web1; journalctl -n 40 --no-pager 2>&1 | tail -n 40");
  throw new Broken(`${meaning}: not so: ${what}: ${stdout}`);
}

function expect(holds: boolean, meaning: string): void {
  if (!holds) throw new Broken(meaning);
}
