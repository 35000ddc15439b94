import type { Difference } from "../../domain/views/sample.ts";
import { boolean, either, like, list, nullable, number, optional, type Shape, string, words } from "../../shape.ts";
import type { DiskFrame, DomainFrame, Frame, HostFrame, NetFrame, Sum, VcpuFrame } from "../top/frame.ts";
import { state } from "./report.ts";

const host = like<HostFrame>({
  name: string,
  cpus: number,
  busy: nullable(number),
  stolen: nullable(number),
  load: list(number),
  pressure: like<HostFrame["pressure"]>({ cpu: nullable(number), memory: nullable(number), io: nullable(number) }),
  memory: like<HostFrame["memory"]>({ total: number, available: number, swap: number, swapFree: number }),
});

const sum = like<Sum>({
  ...{ domains: number, others: number, running: number, paused: number, stopped: number },
  ...{ vcpus: number, memory: number, host: number },
});

const memory = like<DomainFrame["memory"]>({
  current: nullable(number),
  target: nullable(number),
  max: nullable(number),
  host: nullable(number),
  cgroup: nullable(number),
  guest: nullable(like<NonNullable<DomainFrame["memory"]["guest"]>>({ total: number, available: number })),
});

const domain = like<DomainFrame>({
  name: string,
  defined: boolean,
  state: nullable(either(state, words({ damaged: true, unsafe: true }))),
  reason: optional(string),
  pid: optional(number),
  user: optional(number),
  cpu: nullable(number),
  steal: nullable(number),
  vcpus: list(like<VcpuFrame>({ vcpu: number, on: nullable(number), cpu: nullable(number), steal: nullable(number) })),
  count: like<DomainFrame["count"]>({ current: nullable(number), max: nullable(number) }),
  memory,
  disks: nullable(list(like<DiskFrame>({ disk: string, read: number, written: number, requests: number }))),
  nets: list(like<NetFrame>({ interface: string, received: number, sent: number })),
  differs: list(
    like<Difference>({
      resource: string,
      kind: words<Difference["kind"]>({ "next start": true, drift: true, moving: true }),
      why: string,
    }),
  ),
  interrupted: boolean,
  asked: nullable(number),
});

/** One line of what `top --json` prints. */
export const frame: Shape<Frame> = like<Frame>({ time: string, over: nullable(number), host, sum, domains: list(domain) });
