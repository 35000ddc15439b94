import { describe, expect, test } from "vitest";
import { qemus } from "../../scripts/lab/machine.ts";
import { type Host, openHost } from "./host.ts";

// Case D2 of SCOPES.md: what state a machine is in, and what leads on from it. No guest: the firmware is there, and what a guest would
// write
// to ports is written from outside.

const WORDS = ["-no-shutdown", "-device", "pvpanic"];

/** What a guest does to be in a state, as its writes to ports: q35's ACPI PM1a control, and pvpanic. */
const PORTS = { suspended: "o /h 0x604 0x2400", shutdown: "o /h 0x604 0x2000", "guest-panicked": "o /b 0x505 1" } as const;

/** Brings the machine into a state, once its firmware has set its ports up. */
async function enter(host: Host, state: keyof typeof PORTS): Promise<void> {
  const peer = host.peer("web");
  const hmp = async (line: string): Promise<string> => (await peer.ask("human-monitor-command", { "command-line": line })) as string;
  // Ports that are not there yet read as all ones.
  while (!/0000$/.test((await hmp("i /h 0x604")).trim())) await peer.ask("query-name");
  await hmp(PORTS[state]);
  while ((await statusOf(host)) !== state) await peer.ask("query-name");
}

async function statusOf(host: Host): Promise<string> {
  return ((await host.peer("web").ask("query-status")) as { readonly status: string }).status;
}

/** A command that is refused: at once, in these words. */
async function refused(host: Host, words: readonly string[], pattern: RegExp): Promise<void> {
  const begun = performance.now();
  const { code, stderr } = await host.cli(words);
  expect([code, stderr]).toEqual([3, expect.stringMatching(pattern)]);
  expect(performance.now() - begun).toBeLessThan(10_000);
}

// The firmware of 5.2 does not set its ports up again after a reset.
describe.each((await qemus()).filter(({ major }) => major >= 7))(
  "D2: a state that is neither running nor paused is told with what leads on from it, on QEMU $version",
  (qemu) => {
    test("a guest that sleeps, has powered off, has panicked", async () => {
      await using host = await openHost(qemu);
      await host.define("web", { args: WORDS });
      await host.ok("start", "web");

      await enter(host, "suspended");
      expect(JSON.parse(await host.ok("info", "web", "--json"))).toMatchObject({
        state: "suspended",
        status: "suspended",
        reason: "the guest sleeps (ACPI S3); qmpctl resume web wakes it up",
      });
      expect(await host.ok("list")).toMatch(/web +suspended .*sleeps \(ACPI S3\)/);
      await refused(host, ["shutdown", "web"], /the guest sleeps \(ACPI S3\), so it can't shut down; qmpctl resume web wakes it up/);
      await refused(host, ["suspend", "web"], /the guest sleeps/);
      await host.ok("resume", "web");
      expect(await statusOf(host)).toBe("running");
      await enter(host, "suspended");
      // From 10 on it can be paused in its sleep, and sleeps again when it goes on.
      await host.peer("web").ask("stop");
      await host.ok("resume", "web");
      expect(await statusOf(host)).toBe("running");

      await enter(host, "guest-panicked");
      expect(await host.ok("list")).toMatch(/web +guest-panicked .*has panicked; qmpctl reset web/);
      await refused(host, ["shutdown", "web"], /the guest has panicked, so it can't shut down; qmpctl reset web boots it again/);
      await refused(host, ["restart", "web"], /the guest has panicked/);
      await refused(
        host,
        ["setmem", "web", "60M", "--live", "--force"],
        /the guest has panicked, so nothing can be changed with it\n.*qmpctl reset web/,
      );
      await host.ok("vcpupin", "web", "0", "0", "--live");
      await host.ok("reset", "web");
      expect(await statusOf(host)).toBe("running");

      await enter(host, "shutdown");
      expect(JSON.parse(await host.ok("info", "web", "--json"))).toMatchObject({
        state: "shutdown",
        reason: expect.stringMatching(
          /has powered off, and -no-shutdown keeps its QEMU; qmpctl reset web boots it again, qmpctl shutdown web ends its QEMU/,
        ) as string,
      });
      for (const words of [
        ["setmem", "web", "60M"],
        ["setmem", "web", "60M", "--live", "--force"],
        ["setvcpus", "web", "2", "--live"],
        ["resume", "web"],
        ["suspend", "web"],
        ["revert", "web", "--force"],
      ]) {
        const { code, stdout } = await host.cli(words);
        if (words[0] === "revert") expect([code, stdout]).toEqual([0, expect.stringMatching(/nothing to change|unchanged/)]);
        else await refused(host, words, /the guest has powered off/);
      }
      await host.ok("reset", "web");
      expect(await statusOf(host)).toBe("running");
      await enter(host, "shutdown");
      await host.ok("shutdown", "web");
      expect(await host.ok("list", "--all")).toMatch(/web +stopped/);
    });

    test("one that was not let go yet, and one that waits for a migration", async () => {
      await using host = await openHost(qemu);
      await host.define("web");
      await host.ok("start", "web", "--paused");
      expect(JSON.parse(await host.ok("info", "web", "--json"))).toMatchObject({ state: "paused", status: "prelaunch" });
      expect(await host.ok("info", "web")).toMatch(/paused \(prelaunch\)/);
      await host.ok("destroy", "web");

      const { peer } = await host.hand("other", ["-incoming", "defer", "-qmp", `unix:${host.path("m.sock")},server=on,wait=off`]);
      const address = `unix:${host.path("m.sock")}`;
      expect(JSON.parse(await host.ok("info", address, "--json"))).toMatchObject({
        state: "inmigrate",
        reason: expect.stringMatching(/waits for a migration to come in; migrate it here/) as string,
      });
      for (const words of [
        ["resume", address],
        ["suspend", address],
        ["reset", address],
        ["shutdown", address],
        ["setmem", address, "60M", "--force"],
      ])
        await refused(host, words, /the guest waits for a migration to come in/);
      expect(await peer.ask("query-status")).toMatchObject({ status: "inmigrate" });
    });
  },
);
