import { DEVICE_WORDS, deviceWordsIf } from "../lab/fake-devices.ts";
import { DISK, limitsText, mediumInWords } from "../lab/fake-disks.ts";
import type { Seen } from "./compare.ts";
import { shareInFile } from "./model-cpu.ts";
import { devicesInFile, dimmsOf, type MemoryKeys } from "./model-memory.ts";
import { type ThreadKeys, threadsInFile } from "./model-threads.ts";
import { numbersIn } from "./model-vcpus.ts";
import { MIB } from "./model.ts";
import { type Rig, textOf } from "./rig.ts";

/** Reads both halves without the product. */
export async function see(rig: Rig): Promise<Seen> {
  const text = (await textOf(rig)) ?? "";
  const { memory, vcpus, threads, disks, cpu, args } = JSON.parse(text) as {
    args: readonly string[];
    memory: { current: string; max: string; period?: number } & MemoryKeys;
    vcpus: { current: number; max: number; online?: string; pin?: Record<string, string>; sched?: Record<string, string> };
    cpu?: { quota?: string; weight?: number };
    threads?: { emulator?: string } & ThreadKeys;
    disks?: { throttle?: Readonly<Record<string, Readonly<Record<string, number>>>> };
  };
  const look = await rig.look();
  const state = {
    config: {
      memory: mib(memory.current) + dimmsOf(devicesInFile(memory, args, mib)),
      maxMemory: mib(memory.max),
      vcpus: vcpus.online === undefined ? Array.from({ length: vcpus.current }, (_, vcpu) => vcpu) : numbersIn(vcpus.online),
      maxVcpus: vcpus.max,
      pins: Object.fromEntries(Object.entries(vcpus.pin ?? {}).sort()),
      emulator: threads?.emulator ?? "all",
      threads: threadsInFile(args, threads, vcpus.sched),
      share: shareInFile(cpu),
      disks: { "disk-throttle": limitsText(disks?.throttle?.[DISK] ?? {}), "disk-medium": mediumInWords(args) },
      period: memory.period ?? 5,
      devices: devicesInFile(memory, args, mib),
      device: deviceWordsIf(args.includes(DEVICE_WORDS[1] ?? "")),
    },
    live:
      look === null
        ? null
        : {
            memory: look.memory / MIB,
            ...rig.limits,
            masks: look.masks,
            offline: look.offline ?? [],
            answers: true,
            emulator: look.emulator,
            threads: look.threads,
            disks: { "disk-throttle": look.disk, "disk-medium": look.medium },
            period: look.period,
            devices: look.devices,
            share: look.share,
            device: look.device,
          },
  };
  return { text, state };
}

function mib(size: string): number {
  const [, number = "", unit = ""] = /^(\d+)([MG])iB$/.exec(size) ?? [];
  return Number(number) * (unit === "G" ? 1024 : 1);
}
