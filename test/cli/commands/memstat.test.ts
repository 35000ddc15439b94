import { describe, expect, test } from "vitest";
import type { Change } from "../../../src/domain/resources/registry.ts";
import type { MemoryStatistics } from "../../../src/domain/views/memstat.ts";
import { play, reportOf } from "../scene.ts";

const MIB = 2 ** 20;
const statistics: MemoryStatistics = {
  name: "web1",
  state: "running",
  balloon: { actual: 400 * MIB, target: 300 * MIB, most: 512 * MIB },
  guest: {
    figures: { "free-memory": 300 * MIB, "total-memory": 468.3 * MIB, "oom-kills": null, "minor-faults": 1075, "new-thing": 3 },
    ...{ at: 1_800_000_000, age: "asked every 5 s", period: 5 },
  },
  host: {
    ...{ resident: 230.5 * MIB, share: null, swapped: 0, huge: 0, transparentHuge: 170 * MIB, locked: 0, pinned: 0 },
    ...{ cgroup: { path: "/vm", charged: 240 * MIB }, denied: "the kernel does not show it" },
  },
};
const shown = async (memory: MemoryStatistics, ...more: readonly string[]) =>
  play(["memstat", "web1", ...more], {
    domain: {
      memory: async () => memory,
      info: async () => ({ name: memory.name, state: memory.state, transient: false, reason: "it hangs" }),
    },
  });

describe("memstat", () => {
  test("shows the guest's figures, what is not told as a dash, and what has a new name; the balloon's; the host's", async () => {
    expect((await shown(statistics)).stdout).toBe(
      [
        "guest (asked every 5 s)",
        "in all                              468.3MiB",
        "unused                                300MiB",
        "other page faults                       1075",
        "programs killed for want of memory         -",
        "new-thing                                  3",
        "",
        "balloon",
        "leaves the guest  400MiB",
        "is to leave it    300MiB",
        "at most           512MiB",
        "",
        "host",
        "in RAM                  230.5MiB",
        "shared pages in parts          -",
        "in swap                       0B",
        "huge pages                    0B",
        "transparent huge pages    170MiB",
        "locked                        0B",
        "charged to its cgroup     240MiB",
        "",
        "the kernel does not show it",
        "",
      ].join("\n"),
    );
    expect(JSON.parse((await shown(statistics, "--json")).stdout)).toEqual(statistics);
  });

  test("says why there is nothing", async () => {
    const none: MemoryStatistics = { name: "web1", state: "running", balloon: null, guest: null, why: "no balloon" };
    expect(await shown(none)).toMatchObject({ code: 0, stdout: "no balloon\n" });
    expect(await shown({ name: "web1", state: "stopped", balloon: null, guest: null })).toMatchObject({
      code: 0,
      stdout: "web1 is stopped\n",
    });
    const lost: MemoryStatistics = { name: "web1", state: "unreachable", balloon: null, guest: null, why: "it hangs" };
    expect(await shown(lost)).toMatchObject({ code: 1, stderr: "qmpctl: web1: unreachable: it hangs\n" });
  });
});

describe("memstat --period", () => {
  test.each([
    ["10", 10],
    ["10s", 10],
    ["2m", 120],
    ["0", 0],
    ["0s", 0],
  ])("%s is a change of how often the guest is asked", async (text, seconds) => {
    const asked: Change[] = [];
    const change = async (wanted: Change) => (asked.push(wanted), reportOf());
    await play(["memstat", "web1", "--period", text, "--live"], { domain: { change } });
    expect(asked).toEqual([{ resource: "memory-period", seconds }]);
  });

  test.each(["soon", "500ms", "-1"])("%s is no whole number of seconds", async (text) => {
    expect(await play(["memstat", "web1", `--period=${text}`], {})).toMatchObject({ code: 2, opened: [] });
  });

  test.each(["--static", "--both", "--dry-run"])("%s is for a change only", async (flag) => {
    expect(await play(["memstat", "web1", flag], {})).toMatchObject({ code: 2, opened: [] });
  });
});
