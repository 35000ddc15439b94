import { expect, test } from "vitest";
import { frame as shape } from "../../../src/cli/schema/top.ts";
import { Frames } from "../../../src/cli/top/frame.ts";
import { invalid } from "../../json-schema.ts";
import { diskOf, hostileSample, machineOf, netOf, sampleOf } from "./samples.ts";

test("a first frame has no rates, the next one has those of the time between", () => {
  const frames = new Frames();
  const first = frames.next(sampleOf([machineOf("web1")]));
  expect(first).toMatchObject({ over: null, host: { busy: null }, domains: [{ cpu: null, steal: null, nets: [], disks: null }] });
  const grown = machineOf("web1", {
    cpuTime: 13_000,
    vcpus: [
      { vcpu: 0, cpu: 3, cpuTime: 7000, waitTime: 200 },
      { vcpu: 1, cpu: 1, cpuTime: 4000, waitTime: 100 },
    ],
    nets: [netOf("tap0", 4096)],
  });
  const { over, host, domains } = frames.next(sampleOf([grown], 2000));
  expect([over, host.busy]).toEqual([2000, 25]);
  expect(domains[0]).toMatchObject({ cpu: 150, steal: 10, nets: [{ interface: "tap0", received: 2048, sent: 0 }] });
  expect(domains[0]?.vcpus).toEqual([
    { vcpu: 0, on: 3, cpu: 100, steal: 5 },
    { vcpu: 1, on: 1, cpu: 0, steal: 5 },
  ]);
});

test("QEMU's counts give rates over the time between its answers, not between frames", () => {
  const frames = new Frames();
  const at = (time: number, read: number): ReturnType<typeof machineOf> =>
    machineOf("web1", { disks: { at: time, disks: [diskOf("vda", read)] } });
  frames.next(sampleOf([at(0, 0)], 0));
  expect(frames.next(sampleOf([at(0, 0)], 1000)).domains[0]?.disks).toBeNull();
  const told = [{ disk: "vda", read: 1024, written: 0, requests: 2 }];
  expect(frames.next(sampleOf([at(4000, 4096)], 4000)).domains[0]?.disks).toEqual(told);
  expect(frames.next(sampleOf([at(4000, 4096)], 5000)).domains[0]?.disks).toEqual(told);
  expect(frames.next(sampleOf([at(8000, 4096)], 8000)).domains[0]?.disks).toEqual([{ disk: "vda", read: 0, written: 0, requests: 0 }]);
});

test("another process under the same name begins anew", () => {
  const frames = new Frames();
  frames.next(sampleOf([machineOf("web1")]));
  const [domain] = frames.next(sampleOf([machineOf("web1", { pid: 101, cpuTime: 10 })], 1000)).domains;
  expect(domain).toMatchObject({ cpu: null, disks: null, nets: [] });
});

test("two that are not ours may have one name", () => {
  const frames = new Frames();
  const both = [machineOf("web1", { defined: false, pid: 1 }), machineOf("web1", { defined: false, pid: 2, cpuTime: 0 })];
  frames.next(sampleOf(both));
  const { domains, sum } = frames.next(sampleOf([both[1] as never, machineOf("web1", { defined: false, pid: 1, cpuTime: 11_000 })], 1000));
  expect(domains.map(({ cpu }) => cpu)).toEqual([0, 100]);
  expect(sum).toMatchObject({ domains: 0, others: 2 });
});

test("remembers so much of each domain that there is, and forgets who is gone", () => {
  const frames = new Frames();
  for (let at = 0; at < 200; at += 1) frames.next(sampleOf([machineOf("web1", { cpuTime: at * 10 })], at * 1000));
  const [domain] = frames.next(sampleOf([machineOf("web1")], 200_000)).domains;
  expect(domain && frames.past(domain).length).toBe(120);
  frames.next(sampleOf([], 201_000));
  expect(domain && frames.past(domain)).toEqual([]);
});

test("a frame is what its schema says", () => {
  const frames = new Frames();
  for (const sample of [sampleOf([machineOf("web1")]), hostileSample("x"), sampleOf([machineOf("web1", { pid: 2 })], 9)]) {
    const frame: unknown = JSON.parse(JSON.stringify(frames.next(sample)));
    expect(invalid(shape.schema(), frame)).toBeNull();
    expect(shape.fits(frame)).toBe(true);
  }
});
