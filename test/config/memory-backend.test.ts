import { describe, expect, test } from "vitest";
import { backendText, backendWords, isPlain, PLAIN, readBackend, toldBackend } from "../../src/config/memory-backend.ts";
import { backendInArgs } from "../../src/config/memory-in-args.ts";

/** What QEMU 11.1 tells of a backend that nobody has set anything of, without its id and size. */
const USUAL = {
  ...{ dump: true, "prealloc-threads": 1, policy: "default", "prealloc-context": "", prealloc: false, reserve: true },
  ...{ "host-nodes": [], merge: true },
};
const told = (type: string, more: object): unknown => toldBackend(type, new Map(Object.entries({ ...USUAL, ...more })));

describe("what a DIMM's memory comes from", () => {
  test("is what QEMU tells of it that is not as usual", () => {
    expect(told("memory-backend-ram", { share: false })).toEqual(PLAIN);
    expect(told("memory-backend-ram", { share: true, policy: "bind", "host-nodes": [0, 1], prealloc: true })).toEqual({
      type: "memory-backend-ram",
      properties: { share: true, policy: "bind", "host-nodes": [0, 1], prealloc: true },
    });
    const memfd = { share: true, hugetlb: false, hugetlbsize: 0, seal: true };
    expect(told("memory-backend-memfd", memfd)).toEqual({ type: "memory-backend-memfd", properties: {} });
    expect(told("memory-backend-memfd", { ...memfd, share: false, hugetlb: true, hugetlbsize: 2 ** 21 })).toMatchObject({
      properties: { share: false, hugetlb: true, hugetlbsize: 2 ** 21 },
    });
    // A release to come may tell more, and knows what is usual of that.
    const file = { share: false, pmem: false, align: 0, offset: 0, "mem-path": "/m,1", rom: "off", "discard-data": false, readonly: false };
    expect(told("memory-backend-file", { ...file, "of-tomorrow": 3 })).toEqual({
      type: "memory-backend-file",
      properties: { "mem-path": "/m,1" },
    });
  });

  test("is said to be unknown where QEMU does not tell it, or only its command line can say it", () => {
    expect(told("memory-backend-epc", {})).toBe("it is a memory-backend-epc, which is not known here");
    expect(toldBackend("memory-backend-file", new Map())).toBe("it is a memory-backend-file, and QEMU does not tell what is set of it");
    expect(told("memory-backend-ram", { "prealloc-context": "/objects/tc1" })).toMatch(/with a prealloc-context, which only args can name/);
    expect(toldBackend("memory-backend-ram", new Map())).toEqual(PLAIN);
  });

  test("is written in words, and in one text that is read back", () => {
    const backend = { type: "memory-backend-file", properties: { "mem-path": "/m,1", share: true, "host-nodes": [0, 1] } };
    expect(backendWords(backend)).toEqual(["memory-backend-file", "mem-path=/m,,1", "share=on", "host-nodes=0", "host-nodes=1"]);
    expect(readBackend(backendText(backend))).toEqual(backend);
    for (const text of ["", "{", "{}", '{"type":"iothread"}']) expect(() => readBackend(text)).toThrow(/is no memory backend/);
  });

  test("is read from the words of args, unless they are more than is known here", () => {
    const of = (words: string): unknown => backendInArgs(["-object", words], "m");
    expect(of("memory-backend-memfd,id=m,size=1G,share=on,hugetlb=on,hugetlbsize=2M")).toEqual({
      type: "memory-backend-memfd",
      properties: { hugetlb: true, hugetlbsize: 2 ** 21 },
    });
    expect(of('{"qom-type":"memory-backend-file","id":"m","size":1073741824,"mem-path":"/m","share":true}')).toEqual({
      type: "memory-backend-file",
      properties: { "mem-path": "/m", share: true },
    });
    expect(isPlain(of("memory-backend-ram,id=m,size=1G") as never)).toBe(true);
    for (const words of ["memory-backend-ram,id=n,size=1G", "memory-backend-ram,id=m,host-nodes=0", "memory-backend-ram,id=m,share=maybe"])
      expect(of(words)).toBeNull();
  });
});
