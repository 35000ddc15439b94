import { appended } from "../../config/appended.ts";
import { deviceInArgs, devicesInArgs, devicesOn, positionsOf, wordsOf } from "../../config/device-words-text.ts";
import { deviceValues } from "../../config/device-words.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { splitOptions } from "../../config/options.ts";
import { UsageError } from "../../errors.ts";
import { readDevices } from "../facts/devices.ts";
import { readDisks } from "../facts/disks.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { shellWord } from "../model/format.ts";
import { mustBeSendable } from "./device-arguments.ts";
import { devicesIn } from "./device-in-file.ts";
import { attachReasons, carrierReasons, isOwned, leavingReasons, ownerReasons, startReasons } from "./device-reasons.ts";
import { attaching, type AttachStep, detaching, type DetachStep } from "./device-steps.ts";
import { ABSENT, deviceText, readDeviceText } from "./device-text.ts";
import { type ResourceKind, when } from "./resource.ts";
import { CHANGED, type DiffRow, type RowFacts } from "./row.ts";

/**
 * A device with what is behind it, in QEMU's own words: `words` is one text as a shell reads it, as `-netdev user,id=n1 -device
 * virtio-net-pci,id=nic1,netdev=n1`, or `absent`.
 */
export interface DeviceChange {
  readonly resource: "device";
  /** The id of the device, as in its words. */
  readonly id: string;
  readonly words: string;
}

/** `attach`, `detach`: a device, and what it uses. */
export const device: ResourceKind<
  DeviceChange,
  { readonly devices: { readonly present: Readonly<Record<string, readonly string[] | null>> } }
> = {
  resource: "device",
  row: 210,
  label: ({ id }) => `device ${id}`,
  unit: "text",
  members: { id: "text", words: "text" },
  inFile: {
    path: ["devices", "present"],
    shape: '{"ID": [WORD, …]}',
    example: '{"rng1": ["-device", "virtio-rng-pci,id=rng1"]}',
    changes: devicesIn,
  },
  needsGuest: true,
  stepKinds: [attaching, detaching] as never,

  check: ({ id, words }) => {
    if (!/^[A-Za-z][\w.-]*$/.test(id))
      throw new UsageError(`device ${JSON.stringify(id)}: no id`, { value: id, expected: "the id of a device" });
    if (words === ABSENT) return;
    const device = readDeviceText(words);
    if (device.id !== id)
      throw new UsageError(`device ${id}: its words have another id: ${words}`, { value: words, expected: `id=${id} in -device` });
    mustBeSendable(device);
  },
  withValue: (change, value) => ({ ...change, words: String(value) }),
  wanted: ({ words }) => canonical(words),
  command: ({ id, words }, name) =>
    words === ABSENT ? `detach ${shellWord(name)} ${id}` : `attach ${shellWord(name)} ${canonical(words)}`,

  inConfig: ({ id }, config) => configText(id, config),
  edits: ({ id, words }, { args, disks }) => {
    if (words === ABSENT)
      return [
        ...removed(id, args).map((position) => ({ path: ["args", String(position)], value: undefined })),
        // The limits of a disk go with it: a config that limits a disk which is not there does not start.
        ...(disks?.throttle !== undefined && Object.hasOwn(disks.throttle, id)
          ? [{ path: ["disks", "throttle", id], value: undefined }]
          : []),
      ];
    return appended(wordsOf(readDeviceText(words)), args);
  },
  applied: ({ id, words }, config) => {
    const gone = new Set(words === ABSENT ? removed(id, config.args) : []);
    const left = config.args.filter((_, position) => !gone.has(position));
    if (words !== ABSENT) return { ...config, args: [...left, ...wordsOf(readDeviceText(words))] };
    const throttle = Object.entries(config.disks?.throttle ?? {}).filter(([disk]) => disk !== id);
    return {
      ...config,
      args: left,
      ...(config.disks === undefined ? {} : { disks: { ...config.disks, throttle: Object.fromEntries(throttle) } }),
    };
  },
  staticReasons: ({ id, words }, { config, after }) => {
    const there = config === null ? undefined : deviceInArgs(id, config.args);
    const driver = words === ABSENT ? there?.driver : readDeviceText(words).driver;
    return [
      ...(driver === undefined ? [] : ownerReasons(driver, id)),
      // Those that the same set removes are gone by then.
      ...(words === ABSENT ? carrierReasons(id, devicesOn(id, after.args)) : []),
      ...when(words !== ABSENT && there !== undefined, () => ({
        reason: `the config has a device ${id} with other words: ${there === undefined ? "" : deviceText(there)}`,
        instead: `another id, or qmpctl detach of ${id} first`,
      })),
      ...(words === ABSENT || config === null || there !== undefined ? [] : startReasons(config.args, after.args)),
    ];
  },

  reads: [readDevices, readDisks],
  inLive: (change, live) => liveText(change, live),
  needed: ({ id, words }, { live, asked }) =>
    words === ABSENT
      ? live.devices?.has(id) === true || asked.devices?.[id] !== undefined
      : liveText({ id, words }, live) !== canonical(words),
  liveReasons: ({ id, words }, facts, { name }) => {
    if (words !== ABSENT) return attachReasons(readDeviceText(words), facts);
    const driver = facts.live.devices?.get(id);
    const on = facts.config === null ? [] : devicesOn(id, facts.config.args).filter((each) => facts.live.devices?.has(each));
    return driver === undefined
      ? []
      : [...ownerReasons(driver, id), ...carrierReasons(id, on), ...leavingReasons(id, driver, facts.live, name)];
  },
  steps: ({ id, words }, facts): readonly (AttachStep | DetachStep)[] =>
    words === ABSENT
      ? [{ kind: "detach-device", id, words: knownWords(id, facts) }]
      : [{ kind: "attach-device", id, words: canonical(words) }],
  back: ({ id }, facts) => (facts.live.devices?.has(id) === true ? (knownWords(id, facts) ?? shortText(id, facts.live)) : ABSENT),

  rows: (facts) =>
    drifting(facts).map(({ id, config, live, why }): DiffRow => ({ resource: `device ${id}`, config, live, guest: null, why })),
  revert: (facts) =>
    drifting(facts).flatMap(({ id, config, live }): readonly DeviceChange[] => {
      if (config === null || config === live || (config === ABSENT && hasOtherSources(facts.config))) return [];
      const change: DeviceChange = { resource: "device", id, words: config };
      // What can't be plugged waits for the next start.
      return config !== ABSENT && device.liveReasons(change, facts, { name: "", force: false }).length > 0 ? [] : [change];
    }),
  persist: (facts) =>
    drifting(facts).flatMap(({ id, live }): readonly DeviceChange[] => {
      const words = live === ABSENT ? ABSENT : knownWords(id, facts);
      return words === null || (facts.asked.detaching ?? []).includes(id) ? [] : [{ resource: "device", id, words }];
    }),
};

function canonical(words: string): string {
  return words === ABSENT ? ABSENT : deviceText(readDeviceText(words));
}

function configText(id: string, { args }: LaunchConfig): string {
  const found = deviceInArgs(id, args);
  return found === undefined ? ABSENT : deviceText(found);
}

function removed(id: string, args: readonly string[]): readonly number[] {
  const found = deviceInArgs(id, args);
  return found === undefined ? [] : positionsOf([found.device, ...found.backends], args);
}

/** What QEMU shows of a device: its driver. */
function shortText(id: string, live: Live): string {
  return `-device ${live.devices?.get(id)},id=${id}`;
}

/** The words that are asked for, if the machine has such a device: QEMU shows its driver, and the node of a disk. */
function liveText({ id, words }: Pick<DeviceChange, "id" | "words">, live: Live): string {
  const driver = live.devices?.get(id);
  if (driver === undefined) return ABSENT;
  return words !== ABSENT && isSuch(id, words, live) ? canonical(words) : shortText(id, live);
}

function isSuch(id: string, text: string, live: Live): boolean {
  const { driver, device: option } = readDeviceText(text);
  const drive = deviceValues(option).get("drive");
  const disk = live.disks?.find(({ name }) => name === id);
  const node = disk?.medium?.node;
  // What is in a drive comes and goes by itself: that is disk-medium's.
  const isItsDisk = drive === undefined || node == null || node === drive || disk?.drive === drive || disk?.removable === true;
  return live.devices?.get(id) === driver && isItsDisk;
}

/** The words of a device of the machine: those of the config, or those that we plugged it with. Null: somebody else plugged it. */
function knownWords(id: string, { config, asked, live }: Facts): string | null {
  const own = config === null ? undefined : configText(id, config);
  // The config's words of a drive follow its medium, those that we plugged it with don't.
  const isDrive = live?.disks?.some((disk) => disk.name === id && disk.removable) === true;
  const candidates = isDrive ? [own, asked.devices?.[id]] : [asked.devices?.[id], own];
  const isThere = live?.devices?.has(id) === true;
  return candidates.find((text) => text !== undefined && text !== ABSENT && (!isThere || live === null || isSuch(id, text, live))) ?? null;
}

interface Drift {
  readonly id: string;
  readonly config: string | null;
  readonly live: string;
  readonly why: string | null;
}

/** The devices that only one side has, and those that the guest was told to release. */
function drifting(facts: RowFacts): readonly Drift[] {
  const { config, live, asked } = facts;
  if (live?.devices === undefined) return [];
  const drivers = new Map([
    ...(config === null ? [] : devicesInArgs(config.args)).map(({ id, driver }) => [id, driver] as const),
    ...live.devices,
  ]);
  return [...drivers].flatMap(([id, driver]): readonly Drift[] => {
    if (isOwned(driver)) return [];
    const inConfig = config === null ? null : configText(id, config);
    const isThere = live.devices?.has(id) === true;
    const isLeaving = isThere && (asked.detaching ?? []).includes(id);
    const known = isThere ? knownWords(id, facts) : null;
    const inLive = isThere ? (known ?? shortText(id, live)) : ABSENT;
    if ((inConfig === null || inConfig === inLive) && !isLeaving) return [];
    return [
      {
        id,
        config: inConfig,
        live: inLive,
        why: isLeaving ? LEAVING : inConfig === null ? null : whyOf(id, inConfig, known, { ...facts, live }),
      },
    ];
  });
}

const LEAVING = "waits for the guest: it was told to let go of it";

function whyOf(id: string, config: string, known: string | null, facts: LiveFacts): string {
  if (config !== ABSENT) {
    const change: DeviceChange = { resource: "device", id, words: config };
    return facts.live.devices?.has(id) !== true && device.liveReasons(change, facts, { name: "", force: false }).length > 0
      ? "waits for the next start: it can't be plugged into the running machine"
      : CHANGED;
  }
  if (known !== null) return CHANGED;
  return facts.config !== null && hasOtherSources(facts.config)
    ? "of a file that args read (-readconfig), or plugged by somebody else"
    : "plugged by somebody else, and QEMU does not tell its words: `revert` unplugs it, or add them to args";
}

/** Whether a machine may get devices from elsewhere than its args. */
function hasOtherSources({ args }: LaunchConfig): boolean {
  return splitOptions(args).some(({ name }) => name === "readconfig");
}
