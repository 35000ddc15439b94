import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootHost, hostImage, type HostVm, type Login } from "../../scripts/lab/host-vm.ts";

// What depends on a real host, tried on one: systemd, its units, login sessions that end. It runs on a Debian
// that boots under software emulation, so one of it serves all of these, in this order.
const image = await hostImage();

/** How long one of these may take, in milliseconds. Each command takes seconds there, and many times as long on a busy machine. */
const PATIENCE = 600_000;

describe.skipIf(image === null)("on a Debian host with systemd, cgroup v2 and KillUserProcesses=yes", () => {
  let host: HostVm;
  let root: Login;
  beforeAll(async () => {
    host = await bootHost(image ?? "");
    console.log(`the host was up after ${Math.round(host.bootTime / 1000)} s`);
    root = await host.login("root");
  }, 300_000);
  afterAll(async () => {
    await root?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
  });

  test(
    "root's machine gets a scope of its own, outlives the session, and is limited by systemd, in both halves",
    async () => {
      const config = await define(root, "web1");
      {
        await using session = await host.login("root");
        await session.ok("qmpctl start web1 --paused");
      }
      const { group, pid } = await groupOf(root, config);
      expect(group).toBe(`/machine.slice/qmpctl-web1-${pid}.scope`);
      const told = await root.ok("qmpctl setcpu web1 --quota 250% --weight 200 --both");
      expect(told).toMatch(/cpu-quota\s+dynamic\s+none -> 250%\s+250%\s+applied/);
      expect(await root.ok(`cat /sys/fs/cgroup${group}/cpu.max /sys/fs/cgroup${group}/cpu.weight`)).toBe("250000 100000\n200\n");
      expect(await root.ok(`systemctl show --value -p CPUQuotaPerSecUSec ${group.split("/").at(-1)}`)).toBe("2.500000s\n");
      // What was written past systemd would be reset now.
      await root.ok("systemctl daemon-reload");
      expect(await root.ok(`cat /sys/fs/cgroup${group}/cpu.max`)).toBe("250000 100000\n");
    },
    PATIENCE,
  );

  test(
    "a restart applies what the config says; none and the usual weight leave nothing in systemd's files",
    async () => {
      const config = "/etc/qmpctl/web1.json";
      await root.ok("qmpctl destroy web1; qmpctl start web1 --paused");
      const { group } = await groupOf(root, config);
      expect(await root.ok(`cat /sys/fs/cgroup${group}/cpu.max /sys/fs/cgroup${group}/cpu.weight`)).toBe("250000 100000\n200\n");
      await root.ok("qmpctl setcpu web1 --quota none --weight default --both");
      expect(await root.ok(`cat /sys/fs/cgroup${group}/cpu.max 2>/dev/null || echo max 100000`)).toBe("max 100000\n");
      expect(await root.ok(`grep -c '"cpu": {}' ${config}`)).toBe("1\n");
      await root.ok("qmpctl destroy web1");
      expect(
        await root.ok("systemctl list-units --all --no-legend 'qmpctl-*'; systemctl list-unit-files --no-legend 'qmpctl-*' || :"),
      ).toBe("");
    },
    PATIENCE,
  );

  test(
    "a user's machine ends with the session, and start says so",
    async () => {
      let pid: number;
      {
        await using session = await host.login("user");
        const config = await define(session, "web2");
        expect(await session.ok("qmpctl start web2 --paused 2>&1")).toMatch(/ends with this login session.*loginctl enable-linger/);
        const { group, pid: started } = await groupOf(session, config);
        pid = started;
        expect(group).toMatch(/^\/user\.slice\/user-1000\.slice\/session-\w+\.scope$/);
        // It shares the session with its shell: that is nobody to be limited.
        const { code, stdout, stderr } = await session.run("qmpctl setcpu web2 --quota 50% --live");
        expect(code).toBe(3);
        expect(stdout + stderr).toMatch(/is not its own: it would limit sshd\S* \(\d+\).*loginctl enable-linger/s);
      }
      await gone(root, pid);
      await using later = await host.login("user");
      expect(await later.ok("qmpctl list --all")).toMatch(/web2\s+stopped/);
    },
    PATIENCE,
  );

  test(
    "a user without lingering gets the share that the config asks for, and is told how long",
    async () => {
      await using session = await host.login("user");
      const config = "/home/user/.config/qmpctl/web2.json";
      await session.ok("qmpctl setcpu web2 --quota 120% --config");
      expect(await session.ok("qmpctl start web2 --paused 2>&1")).toMatch(/ends with your last login session.*loginctl enable-linger/);
      const { group, pid } = await groupOf(session, config);
      expect(group).toBe(`/user.slice/user-1000.slice/user@1000.service/app.slice/qmpctl-web2-${pid}.scope`);
      expect(await session.ok(`cat /sys/fs/cgroup${group}/cpu.max`)).toBe("120000 100000\n");
      await session.ok("qmpctl destroy web2");
    },
    PATIENCE,
  );

  test(
    "a unit that starts a machine and ends does not take root's along; a user is told that his goes",
    async () => {
      const unit = "systemd-run --quiet --wait --pipe --collect -p Type=oneshot";
      const config = await define(root, "web3");
      const told = await root.ok(`${unit} qmpctl start web3 --paused 2>&1`);
      const { group, pid } = await groupOf(root, config);
      expect([told.includes("it ends with"), group]).toEqual([false, `/machine.slice/qmpctl-web3-${pid}.scope`]);
      // As a job that is left to cron or to a timer finds it.
      expect(await root.ok("systemd-run --quiet --wait --pipe --collect env -i PATH=$PATH qmpctl list")).toMatch(/web3\s+paused/);
      await root.ok("qmpctl destroy web3");
      await using user = await host.login("user");
      await define(user, "web4");
      const his = await root.ok(`${unit} -p User=user qmpctl start web4 --paused 2>&1`);
      expect(his).toMatch(/it ends with run-\S+\.service, which systemd ends with this command: RemainAfterExit=yes or KillMode=process/);
      expect(await user.ok("qmpctl list --all")).toMatch(/web4\s+stopped/);
    },
    PATIENCE,
  );

  test(
    "a machine of systemd-run has a unit of its own already, and keeps it",
    async () => {
      await using session = await host.login("user");
      await session.ok(
        "systemd-run --user --scope --quiet --unit=by-hand qemu-system-x86_64 -machine none -nodefaults -display none -S -daemonize -qmp unix:/tmp/by-hand.sock,server=on,wait=off",
      );
      expect(await session.ok("qmpctl setcpu unix:/tmp/by-hand.sock --quota 60%")).toMatch(/none -> 60%\s+60%\s+applied/);
      expect(await session.ok("systemctl --user show --value -p CPUQuotaPerSecUSec by-hand.scope")).toBe("600ms\n");
      await session.ok("qmpctl destroy unix:/tmp/by-hand.sock");
    },
    PATIENCE,
  );
});

test("a real host is there", ({ skip }) => {
  if (image === null) skip("no host to boot here: npm run testbed -- --host (as root)");
});

/** Writes the config of a small machine for the user of a session: its path. */
async function define(session: Login, name: string): Promise<string> {
  const words = "-machine q35,accel=tcg -nodefaults -display none -m 64M -smp 1";
  await session.ok(`qmpctl define --name ${name} -- qemu-system-x86_64 ${words}`);
  return (await session.ok(`ls -d "$HOME/.config/qmpctl/${name}.json" /etc/qmpctl/${name}.json 2>/dev/null || :`)).trim();
}

/** The group of a config's QEMU, and its pid, from /proc. */
async function groupOf(session: Login, config: string): Promise<{ readonly group: string; readonly pid: number }> {
  const id = (await session.ok(`sed -n 's/.*"id": "\\(.*\\)".*/\\1/p' ${config}`)).trim();
  const pid = Number(await session.ok(`pgrep -f "^qemu-system-x86_64.*${id}"`));
  return { pid, group: (await session.ok(`cut -d: -f3 /proc/${pid}/cgroup`)).trim() };
}

/** Waits for the end of a process, as the kernel tells it. */
async function gone(session: Login, pid: number): Promise<void> {
  await session.ok(`timeout 30 tail --pid=${pid} -f /dev/null`);
}
