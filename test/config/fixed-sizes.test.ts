import { describe, expect, test } from "vitest";
import { backendSize, resizeMemory, resizeVcpus, withWords } from "../../src/config/fixed-sizes.ts";
import { splitOptions } from "../../src/config/options.ts";

const GIB = 2 ** 30;
const RAM = (id: string, size: string): readonly string[] => ["-object", `memory-backend-ram,id=${id},size=${size}`];

function resized(args: readonly string[], size: number): readonly string[] | string {
  const resizing = resizeMemory(args, size);
  return "edits" in resizing ? withWords(args, resizing.edits) : resizing.obstacle;
}

describe("memory that args fix too", () => {
  test.each([
    [
      "nothing does",
      ["-machine", "q35", ...RAM("dimm", "1G"), "-device", "pc-dimm,memdev=dimm"],
      ["-machine", "q35", ...RAM("dimm", "1G"), "-device", "pc-dimm,memdev=dimm"],
    ],
    [
      "the machine's backend",
      ["-machine", "q35,memory-backend=m", ...RAM("m", "1G"), ...RAM("other", "1G")],
      ["-machine", "q35,memory-backend=m", ...RAM("m", "3G"), ...RAM("other", "1G")],
    ],
    [
      "the last one of the machine's",
      ["-M", "q35,memory-backend=a", "-machine", "memory-backend=b", ...RAM("a", "1G"), ...RAM("b", "1G")],
      ["-M", "q35,memory-backend=a", "-machine", "memory-backend=b", ...RAM("a", "1G"), ...RAM("b", "3G")],
    ],
    [
      "a backend in bytes, behind other keys",
      ["-object", "memory-backend-file,size=1073741824,share=on,id=m,mem-path=/dev/a,,b", "-machine", "memory-backend=m"],
      ["-object", "memory-backend-file,size=3221225472,share=on,id=m,mem-path=/dev/a,,b", "-machine", "memory-backend=m"],
    ],
    [
      "a backend in JSON",
      ["-M", "memory-backend=m", "-object", '{ "qom-type": "memory-backend-memfd", "id": "m", "size": 1073741824, "x": {} }'],
      ["-M", "memory-backend=m", "-object", '{ "qom-type": "memory-backend-memfd", "id": "m", "size": 3221225472, "x": {} }'],
    ],
    [
      "the backend of one node",
      [...RAM("m", "1G"), "-numa", "node,nodeid=0,memdev=m", "-numa", "node,nodeid=1"],
      [...RAM("m", "3G"), "-numa", "node,nodeid=0,memdev=m", "-numa", "node,nodeid=1"],
    ],
    ["one node without a backend", ["-numa", "node,mem=1024,cpus=0-1"], ["-numa", "node,mem=3G,cpus=0-1"]],
  ] as const)("goes with it where %s", (_what, args, after) => {
    expect(resized(args, 3 * GIB)).toEqual(after);
  });

  test("is written in whole units, as QEMU reads them everywhere", () => {
    expect(resized([...RAM("m", "1g"), "-machine", "memory-backend=m"], GIB + 2 ** 20)).toEqual([
      ...RAM("m", "1025M"),
      "-machine",
      "memory-backend=m",
    ]);
    expect(resized(["-numa", "node,mem=1G"], GIB + 8192)).toEqual(["-numa", "node,mem=1048584K"]);
  });

  test.each([
    [
      [...RAM("a", "1G"), ...RAM("b", "1G"), "-numa", "node,memdev=a", "-numa", "node,memdev=b"],
      "args spread it over several: -numa node,memdev=a, -numa node,memdev=b",
    ],
    [["-numa", "node,mem=1G", "-numa", "node,mem=1G"], "args spread it over several: -numa node,mem=1G, -numa node,mem=1G"],
    [["-machine", "q35,memory-backend=m", "-readconfig", "x.cfg"], "-machine q35,memory-backend=m: a backend that is not in args"],
    [
      ["-machine", "memory-backend=m", "-object", "{'qom-type':'memory-backend-ram','id':'m','size':1}"],
      "-object {'qom-type':'memory-backend-ram','id':'m','size':1}: not plain JSON",
    ],
  ])("is left to a person where it is not plain which: %j", (args, why) => {
    expect(resized(args, 3 * GIB)).toBe(why);
  });

  test("is what a machine without -m has", () => {
    const sizeOf = (args: readonly string[]): number | undefined => backendSize(splitOptions(args));
    expect(sizeOf(["-M", "q35,memory-backend=m", ...RAM("m", "1.5G")])).toBe(1.5 * GIB);
    expect(sizeOf(["-M", "q35", ...RAM("m", "1.5G"), "-numa", "node,memdev=m"])).toBeUndefined();
    expect(sizeOf(["-M", "q35,memory-backend=m"])).toBeUndefined();
  });
});

describe("vCPUs that args place", () => {
  const result = (args: readonly string[], before: number, max: number): readonly string[] | string => {
    const resizing = resizeVcpus(args, before, max);
    return "edits" in resizing ? withWords(args, resizing.edits) : resizing.obstacle;
  };

  test.each([
    [["-numa", "node,memdev=m"], 2, 4, ["-numa", "node,memdev=m"]],
    [["-numa", "node,cpus=0-1,memdev=m"], 2, 4, ["-numa", "node,cpus=0-3,memdev=m"]],
    [["-numa", "node,cpus=0"], 1, 2, ["-numa", "node,cpus=0-1"]],
    [["-numa", "node,cpus=0-1"], 2, 1, ["-numa", "node,cpus=0"]],
    [["-numa", "node,cpus=0-0"], 1, 2, ["-numa", "node,cpus=0-1"]],
  ] as const)("%j for %d: %d", (args, before, max, after) => {
    expect(result(args, before, max)).toEqual(after);
  });

  test.each([
    [["-numa", "node,cpus=0", "-numa", "node,cpus=1"]],
    [["-numa", "node,cpus=0,cpus=1"]],
    [["-numa", "node,cpus=0"]],
    [["-numa", "node", "-numa", "cpu,node-id=0,socket-id=0"]],
  ])("%j is left to a person", (args) => {
    expect(result(args, 2, 4)).toMatch(/^args say which node each of them is in: -numa /);
  });
});
