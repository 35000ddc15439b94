import { describe, expect, test } from "vitest";
import { configOf, cpuGroupOf, factsOf, liveOf, planOf, reasonsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import { formatQuota } from "../../../src/config/quota.ts";
import type { LiveCpuGroup } from "../../../src/domain/facts/cgroup.ts";
import { changesOf } from "../../../src/domain/resources/allocation.ts";
import { cpuQuota } from "../../../src/domain/resources/cpu-quota.ts";
import { cpuWeight } from "../../../src/domain/resources/cpu-weight.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { UsageError } from "../../../src/errors.ts";

const quota = (text: string): Change => ({ resource: "cpu-quota", quota: text });
const weight = (number: number): Change => ({ resource: "cpu-weight", weight: number });
const withGroup = (group: Partial<LiveCpuGroup>, cpu?: { quota?: string; weight?: number }) =>
  factsOf({ live: liveOf({ cpuGroup: cpuGroupOf(group) }), config: { ...configOf(), ...(cpu === undefined ? {} : { cpu }) } });
const shared = {
  isOwn: false,
  quota: null,
  weight: null,
  obstacle: "its cgroup, /user.slice, is not its own: it would limit sshd (7) as well",
};
const rowsOf = (facts: Parameters<typeof diffOf>[0]) => diffOf(facts).filter(({ resource }) => resource.startsWith("cpu-"));

describe("a share of the CPUs", () => {
  test("is one step on the live machine and one key of the config, for each of the two", () => {
    const plan = planOf([quota("0250.50%"), weight(200)], "both");
    expect(plan).toMatchObject({
      refusals: [],
      steps: [{ step: { kind: "cpu-quota", quota: "250.5%", before: "none" } }, { step: { kind: "cpu-weight", weight: 200, before: 100 } }],
    });
    expect(JSON.parse(plan.text ?? "")).toMatchObject({ cpu: { quota: "250.5%", weight: 200 } });
  });

  test("is sent to systemd for a unit, and to the kernel's files else", () => {
    const [step] = cpuQuota.steps({ resource: "cpu-quota", quota: "150%" }, factsOf());
    const sent = (facts: ReturnType<typeof factsOf>) => (step === undefined ? "" : cpuQuota.stepKinds[0]?.sends(step, facts));
    expect(sent(factsOf())).toBe("systemctl --no-ask-password set-property --runtime -- web1.scope CPUQuota=150%");
    expect(sent(withGroup({ unit: null }))).toBe("echo 150000 100000 > /sys/fs/cgroup/machine.slice/web1.scope/cpu.max");
  });

  test("is there already where it is what is asked for, and taken out of the config by none and by the usual weight", () => {
    const facts = withGroup({ quota: "150%", weight: 300 }, { quota: "150%", weight: 300 });
    expect(planOf([quota("150%"), weight(300)], "both", facts)).toMatchObject({ steps: [], text: null });
    const plan = planOf([quota("none"), weight(100)], "both", facts);
    expect(plan.steps).toMatchObject([{ step: { quota: "none", before: "150%" } }, { step: { weight: 100, before: 300 } }]);
    expect(JSON.parse(plan.text ?? "")).toMatchObject({ cpu: {} });
  });

  test("goes back to what was there before", () => {
    const step = { kind: "cpu-quota", quota: "50%", before: "150%" };
    expect(cpuQuota.stepKinds[0]?.inverse(step, liveOf(), liveOf())).toEqual([{ kind: "cpu-quota", quota: "150%", before: null }]);
  });

  test("is refused in a group with others in it, with their names and what would work; the config can have it all the same", () => {
    const plan = planOf([quota("150%"), weight(200)], "both", withGroup(shared));
    expect(reasonsOf(plan)).toEqual([expect.stringMatching(/^dynamic: QEMU's share.* sshd \(7\) as well$/)]);
    expect(plan.refusals[0]?.instead).toMatch(/--static, then qmpctl restart web1/);
    expect(planOf(quota("150%"), "static", withGroup(shared)).refusals).toEqual([]);
  });

  test("is refused where QEMU's process is not known", () => {
    const live = liveOf({
      pid: null,
      cpuGroup: cpuGroupOf({ ...shared, group: null, unit: null, obstacle: "QEMU's process is not on this host" }),
    });
    expect(reasonsOf(planOf(quota("150%"), "dynamic", factsOf({ live })))).toEqual([expect.stringMatching(/is not on this host/)]);
  });

  test("of an idle group has no weight to change before it is woken", () => {
    const plan = planOf(weight(200), "dynamic", withGroup({ weight: 0, unit: null }));
    expect(plan.refusals).toMatchObject([
      { reason: expect.stringMatching(/idle/) as string, instead: "echo 0 > /sys/fs/cgroup/machine.slice/web1.scope/cpu.idle first" },
    ]);
    expect(planOf(weight(200), "dynamic", withGroup({ weight: 0 })).refusals[0]?.instead).toMatch(/^systemctl .* CPUWeight=100 first$/);
    expect(changesToPersist(withGroup({ weight: 0 })).map(({ resource }) => resource)).not.toContain("cpu-weight");
  });

  test("can be set while the guest has crashed: it has no part in it", () => {
    const live = liveOf({ status: "guest-panicked", running: false });
    expect(planOf(quota("50%"), "dynamic", factsOf({ live })).refusals).toEqual([]);
  });

  test("has a row where either half has one, and says why they differ", () => {
    expect(rowsOf(factsOf())).toEqual([]);
    expect(rowsOf(withGroup({ quota: "50%" }, { quota: "150%", weight: 50 }))).toMatchObject([
      { resource: "cpu-quota", config: "150%", live: "50%", why: expect.stringMatching(/^changed/) as string },
      { resource: "cpu-weight", config: 50, live: 100, why: expect.stringMatching(/^changed/) as string },
    ]);
    expect(rowsOf(withGroup(shared, { quota: "150%" }))).toMatchObject([{ config: "150%", live: null, why: shared.obstacle }]);
    expect(rowsOf(stoppedFacts({ config: { ...configOf(), cpu: { weight: 50 } } }))).toMatchObject([{ config: 50, live: null, why: null }]);
  });

  test("is reverted and persisted, also to nothing", () => {
    const facts = withGroup({ quota: "50%" }, { weight: 300 });
    expect(changesToRevert(facts)).toEqual(expect.arrayContaining([quota("none"), weight(300)]));
    expect(changesToPersist(facts)).toEqual(expect.arrayContaining([quota("50%"), weight(100)]));
    const names = [...changesToRevert(factsOf()), ...changesToPersist(factsOf())].map(({ resource }) => resource);
    expect(names.filter((name) => name.startsWith("cpu-"))).toEqual([]);
  });

  test("is advised against where a quota leaves nothing to the threads that serve disks", () => {
    const advice = (text: string, vcpus: number) =>
      cpuQuota.remarks?.({ change: { resource: "cpu-quota", quota: text }, config: configOf({ vcpus: { current: vcpus } }), live: null }) ??
      [];
    expect(advice("200%", 2)).toEqual([expect.stringMatching(/2 busy vCPUs can take all of it.*225% or more/)]);
    expect(advice("100%", 1)).toEqual([expect.stringMatching(/a busy vCPU can take all of it.*125% or more/)]);
    expect(advice("800%", 8)).toEqual([expect.stringMatching(/900% or more/)]);
    expect([...advice("201%", 2), ...advice("none", 2)]).toEqual([]);
  });

  test("that a group above limits is told", () => {
    const above = { path: "/machine.slice", percent: 80 };
    const remarks = (text: string): readonly string[] =>
      cpuQuota.stepKinds[0]?.remarks?.(
        { kind: "cpu-quota", quota: text, before: null } as never,
        "done",
        liveOf({ cpuGroup: cpuGroupOf({ above }) }),
        "web1",
      ) ?? [];
    expect(remarks("500%")).toEqual([
      `the cgroup above it, /machine.slice, has a quota of ${formatQuota(80)}, and QEMU gets no more than that`,
    ]);
    expect(remarks("80%")).toEqual([expect.stringMatching(/room/)]);
  });

  test("is a key of an allocation file, null for none", () => {
    expect(changesOf({ cpu: { quota: "150%", weight: 200 } })).toEqual([quota("150%"), weight(200)]);
    expect(changesOf({ cpu: { quota: null, weight: null } })).toEqual([quota("none"), weight(100)]);
    expect(() => changesOf({ cpu: { quota: 150 } } as never)).toThrow('cpu.quota is 150, not a text, as "150%", or null');
    expect(() => changesOf({ cpu: { weight: "200" } } as never)).toThrow('cpu.weight is "200", not a number, as 200, or null');
    expect(() => cpuQuota.check({ resource: "cpu-quota", quota: "150" })).toThrow(UsageError);
    expect(() => cpuWeight.check({ resource: "cpu-weight", weight: 0 })).toThrow(UsageError);
  });

  test("is applied at a start only if QEMU has a group of its own", async () => {
    const config = { ...configOf(), cpu: { quota: "150%", weight: 50 } };
    const live = liveOf({ cpuGroup: cpuGroupOf(shared) });
    for (const kind of [cpuQuota, cpuWeight])
      await expect(kind.atStart?.(config, live, null as never)).rejects.toThrow(/sshd \(7\) as well, and cpu\.\w+ of the config asks for/);
    await expect(cpuQuota.atStart?.(configOf(), live, null as never)).resolves.toBeUndefined();
  });
});
