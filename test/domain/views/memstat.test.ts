import { describe, expect, test } from "vitest";
import { factsOf, GIB, liveOf, MIB, stoppedFacts } from "../../../scripts/lab/facts.ts";
import { type Asked, statisticsOf } from "../../../src/domain/views/memstat.ts";
import { runningDomain } from "../scene.ts";

const UNTOLD = 2n ** 64n - 1n;
const said = { "last-update": 1_800_000_000, stats: { "stat-free-memory": 5 * MIB, "stat-oom-kills": UNTOLD, "stat-new-thing": 7 } };
const asked: Asked = { said, driver: true, target: 900 * MIB };
const of = (facts: Parameters<typeof statisticsOf>[1], more: Partial<Asked> = {}) => statisticsOf("web1", facts, { ...asked, ...more });

describe("statistics of memory", () => {
  test("are what the guest told, also what has a new name, and null for what it does not tell", () => {
    expect(of(factsOf({ live: liveOf({ period: 10 }) }))).toEqual({
      name: "web1",
      state: "running",
      balloon: { actual: GIB, target: 900 * MIB, most: 2 * GIB },
      guest: {
        figures: { "free-memory": 5 * MIB, "oom-kills": null, "new-thing": 7 },
        at: 1_800_000_000,
        age: "asked every 10 s",
        period: 10,
      },
      ...{ pid: liveOf().pid, limits: { min: null, max: 2 * GIB } },
    });
  });

  test("have what the config allows, DIMMs included, also of a machine that does not run", () => {
    const { config } = factsOf();
    const memory = { ...(config?.memory ?? { max: 0, current: 0 }), min: 100 * MIB };
    const dimmed = liveOf({ memory: { size: 3 * GIB, dimms: GIB, actual: GIB, balloon: "/b", guest: null } });
    const facts = factsOf({ live: dimmed, config: config === null ? null : { ...config, memory } });
    expect(of(facts).limits).toEqual({ min: 100 * MIB, max: 3 * GIB });
    expect(of({ ...facts, config: null }).limits).toBeUndefined();
  });

  test("have a target where the device or a note has one", () => {
    expect(of(factsOf({ asked: { balloon: 800 * MIB } }), { target: null }).balloon).toMatchObject({ target: 800 * MIB });
    expect(of(factsOf(), { target: null }).balloon).toMatchObject({ target: null });
  });

  const silent = { said: { "last-update": 0, stats: { "stat-free-memory": UNTOLD } } };
  const bare = liveOf({ memory: { size: GIB, actual: null, balloon: null, guest: null } });
  test.each<[string, ReturnType<typeof of>, string]>([
    ["no balloon", of(factsOf({ live: bare }), { said: null }), "no balloon device"],
    [
      "no driver",
      of(factsOf({ live: liveOf({ period: 5 }) }), { ...silent, driver: false }),
      "no driver for the balloon, or it is not up yet",
    ],
    ["nobody asks", of(factsOf({ live: liveOf({ period: 0 }) }), silent), "QEMU does not ask the guest: --period 5"],
    ["no answer", of(factsOf({ live: liveOf({ period: 5 }) }), silent), "the guest has not answered yet"],
    ["it does not run", of(factsOf({ live: liveOf({ period: 5, running: false, status: "paused" }) }), silent), "yet: it does not run"],
  ])("say why the guest has told nothing: %s", (_, statistics, why) => {
    expect(statistics.guest).toBeNull();
    expect(statistics.why).toContain(why);
  });

  test("of a machine that does not run are nothing, and of one that does not answer why", () => {
    expect(of(stoppedFacts())).toEqual({
      ...{ name: "web1", state: "stopped", balloon: null, guest: null },
      limits: { min: null, max: 2 * GIB },
    });
    expect(of(stoppedFacts({ state: "unreachable", why: "it hangs" }))).toMatchObject({ state: "unreachable", why: "it hangs" });
  });

  test("come from the machine", async () => {
    const { domain, sent } = await runningDomain();
    const statistics = await domain.memory();
    expect(statistics).toMatchObject({
      state: "running",
      balloon: { actual: GIB, target: GIB },
      guest: { figures: { "available-memory": GIB - GIB / 16 }, age: "asked every 5 s" },
      host: { resident: expect.any(Number), share: expect.any(Number) },
    });
    expect(sent()).toEqual([]);
  });
});
