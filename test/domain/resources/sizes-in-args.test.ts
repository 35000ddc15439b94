import { describe, expect, test } from "vitest";
import {
  changedLines,
  type ConfigChanges,
  configOf,
  GIB,
  MIB,
  planOf,
  reasonsOf,
  stoppedFacts,
  textOf,
} from "../../../scripts/lab/facts.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";

/** What a change makes of a config: the lines that it changes, or why not. */
function outcome(changes: Change | readonly Change[], config: ConfigChanges): readonly string[] {
  const given = configOf(config);
  const plan = planOf(changes, "static", stoppedFacts({ config: given }));
  return plan.refusals.length > 0 ? reasonsOf(plan) : changedLines(textOf(given), plan.text);
}

const BACKEND = ["-machine", "memory-backend=m", "-object", "memory-backend-ram,id=m,size=2G"];
const NODES = [
  "-object",
  "memory-backend-ram,id=a,size=1G",
  "-object",
  "memory-backend-ram,id=b,size=1G",
  "-numa",
  "node,memdev=a,cpus=0-1",
  "-numa",
  "node,memdev=b,cpus=2-3",
];
const toMax = (size: number): Change => ({ resource: "max-memory", size });
const room = (count: number): Change => ({ resource: "max-vcpus", count });

describe("a size that args fix too", () => {
  test("changes with its key, in the same change as others", () => {
    expect(outcome(toMax(3 * GIB), { args: BACKEND, memory: { current: 2 * GIB } })).toEqual([
      '"max": "3GiB",',
      '"current": "3GiB"',
      '"memory-backend-ram,id=m,size=3G"',
    ]);
    const args = [...BACKEND, "-numa", "node,cpus=0-3", "-device", "virtio-balloon-pci"];
    expect(outcome([toMax(3 * GIB), room(8), { resource: "memory", size: 2 * GIB }], { args })).toEqual([
      '"max": "3GiB",',
      '"current": "2GiB"',
      '"max": 8,',
      '"memory-backend-ram,id=m,size=3G",',
      '"node,cpus=0-7",',
    ]);
  });

  test("stays as it is where its key has that value already", () => {
    expect(outcome([toMax(2 * GIB), room(4)], { args: NODES })).toEqual([]);
  });

  test("is refused where only a person knows which is meant, with all that is wrong", () => {
    expect(outcome([toMax(3 * GIB), room(8)], { args: NODES })).toEqual([
      "static: maximum memory 3GiB: args spread it over several: -numa node,memdev=a,cpus=0-1, -numa node,memdev=b,cpus=2-3",
      "static: maximum vCPUs 8: args say which node each of them is in: -numa node,memdev=a,cpus=0-1, -numa node,memdev=b,cpus=2-3",
    ]);
  });

  test("may be of any size that QEMU takes, and no other", () => {
    expect(outcome(toMax(2 * GIB + 8192), { args: BACKEND })).toEqual(['"max": "2097160KiB",', '"memory-backend-ram,id=m,size=2097160K"']);
    expect(() => outcome(toMax(2 * GIB + 4096), { args: [] })).toThrow("not a positive multiple of 8 KiB");
  });
});

describe("C4: half a topology", () => {
  test.each([
    [{ threads: 2 }, 6, ['"max": 6,']],
    [{ threads: 2 }, 5, ["static: vcpus.topology of the config describes 2 vCPUs, not 5"]],
    [{ clusters: 2, cores: 2 }, 8, ['"max": 8,']],
    [{ sockets: 1, cores: 2, threads: 2 }, 8, ["static: vcpus.topology of the config describes 4 vCPUs, not 8"]],
  ] as const)("%j has room for %d where it divides it: %j", (topology, count, lines) => {
    expect(outcome(room(count), { vcpus: { topology } })).toEqual(lines);
  });
});

describe("vCPUs that args plug", () => {
  const args = ["-device", "max-x86_64-cpu,id=c3,socket-id=0,core-id=3,thread-id=0"];

  test("have places of their own, so their number is a person's to change", () => {
    expect(outcome({ resource: "vcpus", count: 3 }, { args })).toEqual([
      `static: args plug vCPUs themselves, in places of their own: ${args.join(" ")}`,
    ]);
    expect(outcome({ resource: "vcpus", count: 2 }, { args })).toEqual([]);
  });

  test("leave at least one for -smp", () => {
    expect(outcome({ resource: "max-memory", size: 2 * GIB + MIB }, { args, vcpus: { current: 1 } })).toEqual([
      expect.stringContaining("vcpus.current is 1, expected more than the 1 that args plug (-device)"),
    ]);
  });
});
