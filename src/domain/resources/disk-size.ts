import type { ImageFacts, LaunchConfig } from "../../config/launch.ts";
import { formatSize } from "../../config/size.ts";
import { HostError, UsageError } from "../../errors.ts";
import { imageSize, qemuImgFor, resizeImage, resizeWords } from "../../host/qemu-img.ts";
import { readDisks } from "../facts/disks.ts";
import { readImages } from "../facts/images.ts";
import { shellWord } from "../model/format.ts";
import { diskCalled, noSuchDisk, noSuchDiskInArgs } from "./disk-names.ts";
import { sizeIn } from "./file-part.ts";
import { type Complain, type Reason, type ResourceKind, when } from "./resource.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/** The size of a disk, in bytes. Its image is the static half as it is the live one, and it never shrinks. */
export interface DiskSizeChange {
  readonly resource: "disk-size";
  /** The name of the disk, as `domain.disks()` shows it. */
  readonly disk: string;
  readonly size: number;
}

/** Make the disk of a running machine larger. */
interface ResizeStep extends Step {
  readonly kind: "disk-size";
  readonly disk: string;
  /** The node in it. */
  readonly node: string;
  readonly size: number;
}

/** Make the disk in an image larger that no machine has open. */
interface ImageStep extends Step {
  readonly kind: "image-size";
  readonly disk: string;
  readonly program: string;
  readonly image: Extract<ImageFacts, { readonly size: number }>["image"];
  readonly size: number;
}

const NEVER = "a disk never shrinks: what is in the part that goes would be lost";

/** How long qemu-img may take, in milliseconds. */
const IMAGE_TIMEOUT = 60_000;

const resizing: StepKind<ResizeStep> = {
  kind: "disk-size",
  rank: 9,
  asksGuest: false,
  isLast: true,
  what: ({ disk, size }) => `make disk ${disk} ${formatSize(size)}`,
  sends: ({ node, size }) => `block_resize ${JSON.stringify({ "node-name": node, size })}`,
  undoing: () => undefined,
  noUndo: () => NEVER,
  begin: async ({ node, size }, { monitor, deadline: by, signal }) => {
    await monitor.ask((session) => session.execute("block_resize", { "node-name": node, size }), { by, signal });
  },
  readBack: async ({ disk, node, size }, { monitor, deadline: by, signal }) => {
    const nodes = await monitor.ask((session) => session.execute("query-named-block-nodes", { flat: true }), { by, signal });
    const found = nodes.find((each) => each["node-name"] === node)?.image["virtual-size"];
    if (Number(found ?? -1) !== size)
      throw new HostError(
        `disk ${disk}: asked for ${formatSize(size)}, QEMU shows ${found === undefined ? "no such node" : formatSize(Number(found))}`,
      );
    return { outcome: "done" };
  },
  inverse: ({ disk }, now, before) =>
    diskCalled(disk, now.disks)?.medium?.size === diskCalled(disk, before.disks)?.medium?.size ? [] : NEVER,
  hasNoWayBack: () => true,
};

const resizingImage: StepKind<ImageStep> = {
  kind: "image-size",
  rank: 9,
  asksGuest: false,
  isLast: true,
  what: ({ disk, size }) => `make the image of disk ${disk} ${formatSize(size)}`,
  sends: ({ program, image, size }) => [program, ...resizeWords(image, size)].map(shellWord).join(" "),
  undoing: () => undefined,
  noUndo: () => NEVER,
  begin: () => Promise.reject(new HostError("only of a machine that does not run")),
  readBack: async () => ({ outcome: "done" }),
  beginOff: async ({ disk, program, image, size }) => {
    await resizeImage(program, image, size, { timeout: IMAGE_TIMEOUT });
    const found = await imageSize(program, image, {});
    if (found !== size) throw new HostError(`disk ${disk}: asked for ${formatSize(size)}, its image has ${formatSize(found)}`);
  },
  inverse: () => NEVER,
  hasNoWayBack: () => true,
};

/** `blockresize`: how large a disk is. */
export const diskSize: ResourceKind<DiskSizeChange, { readonly disks: { readonly size: Readonly<Record<string, string>> } }> = {
  resource: "disk-size",
  row: 201,
  label: ({ disk }) => `disk-size ${disk}`,
  unit: "bytes",
  members: { disk: "text", size: "number" },
  inFile: { path: ["disks", "size"], shape: '{"DISK": SIZE}', example: '{"disk0": "2GiB"}', changes: sizesIn },
  needsGuest: false,
  isImage: true,
  stepKinds: [resizing, resizingImage] as never,

  check: ({ disk, size }) => {
    if (disk === "") throw new UsageError("disk: its name is empty", { value: disk, expected: "the name of a disk" });
    if (!Number.isSafeInteger(size) || size <= 0) throw new UsageError(`size ${size}: no size`, { value: size, expected: "bytes" });
    if (size % 512 !== 0)
      throw new UsageError(`size ${size}: a disk is made of sectors of 512 bytes`, {
        value: size,
        expected: `${size - (size % 512)} or ${size - (size % 512) + 512}`,
      });
  },
  withValue: (change, value) => ({ ...change, size: Number(value) }),
  wanted: ({ size }) => size,
  command: ({ disk, size }, name) => `blockresize ${shellWord(name)} ${shellWord(disk)} ${formatSize(size)}`,

  readsConfig: readImages,
  inConfig: ({ disk }, config) => sizeInConfig(disk, config),
  edits: () => [],
  applied: (_change, config) => config,
  staticReasons: ({ disk, size }, { config }) => {
    if (config === null) return [];
    const missing = noSuchDiskInArgs(disk, config);
    const found = imageOf(disk, config);
    if (missing.length > 0) return missing;
    if (found === undefined) return [{ reason: `the args of the config do not say which file is disk ${disk}`, instead: "while it runs" }];
    if ("why" in found) return [{ reason: `the image of disk ${disk}: ${found.why}` }];
    return sizeReasons(disk, size, found);
  },
  stepsOff: ({ disk, size }, { config }): readonly ImageStep[] => {
    const found = config === null ? undefined : imageOf(disk, config);
    if (config === null || found === undefined || "why" in found || found.size === size) return [];
    return [{ kind: "image-size", disk, program: qemuImgFor(config.emulator), image: found.image, size }];
  },

  reads: [readDisks],
  inLive: ({ disk }, live) => diskCalled(disk, live.disks)?.medium?.size ?? null,
  needed: ({ disk, size }, { live }) => diskCalled(disk, live.disks)?.medium?.size !== size,
  liveReasons: ({ disk, size }, { live }) => {
    const found = diskCalled(disk, live.disks);
    if (found === undefined) return noSuchDisk(disk, live.disks);
    if (found.medium === null) return [{ reason: `there is nothing in ${disk}` }];
    return sizeReasons(disk, size, found.medium);
  },
  steps: ({ disk, size }, { live }): readonly ResizeStep[] => {
    const node = diskCalled(disk, live.disks)?.medium?.node;
    return node == null ? [] : [{ kind: "disk-size", disk, node, size }];
  },

  // Both halves are one image, so that they never differ.
  rows: () => [],
  revert: null,
  persist: () => [],
};

function imageOf(disk: string, { images = {} }: LaunchConfig): ImageFacts | undefined {
  return Object.hasOwn(images, disk) ? images[disk] : undefined;
}

function sizeInConfig(disk: string, config: LaunchConfig): number | null {
  const found = imageOf(disk, config);
  return found === undefined || "why" in found ? null : found.size;
}

function sizeReasons(disk: string, size: number, now: { readonly size: number; readonly readOnly: boolean }): readonly Reason[] {
  return [
    ...when(now.readOnly, () => ({ reason: `disk ${disk} is read-only`, instead: "the image that is written, if there is one above it" })),
    ...when(size < now.size, () => ({
      reason: `disk ${disk} has ${formatSize(now.size)}, more than ${formatSize(size)}: ${NEVER}`,
      instead: `${formatSize(now.size)} or more, or a smaller disk beside it, to be copied to`,
    })),
  ];
}

/** The sizes of an allocation file. */
function sizesIn(value: unknown, place: string, complain: Complain): readonly DiskSizeChange[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    complain(place, value, 'an object, as {"disk0": "2GiB"}');
    return [];
  }
  return Object.entries(value).flatMap(([disk, each]: readonly [string, unknown]): readonly DiskSizeChange[] => {
    const size = sizeIn(each, `${place}.${disk}`, complain);
    return size === undefined ? [] : [{ resource: "disk-size", disk, size }];
  });
}
