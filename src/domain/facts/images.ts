import { statSync } from "node:fs";
import { deviceValues, type DiskInArgs, disksInArgs } from "../../config/device-words.ts";
import { fileBeneath, placedOptions } from "../../config/drive-words.ts";
import type { ImageFacts, LaunchConfig } from "../../config/launch.ts";
import { formatOf } from "../../config/medium.ts";
import { messageOf } from "../../errors.ts";
import { type ImageFile, imageSize, qemuImgFor } from "../../host/qemu-img.ts";

/** A config with more known of what it names. */
export type ConfigReader = (config: LaunchConfig) => Promise<LaunchConfig>;

/** Reads the images of the disks of a config that have a name, as their files are now. */
export const readImages: ConfigReader = async (config) => {
  const program = qemuImgFor(config.emulator);
  const named = disksInArgs(config.args).flatMap((disk) => (disk.name === null ? [] : [[disk.name, disk] as const]));
  const images = await Promise.all(named.map(async ([name, disk]) => [name, await factsOf(disk, config.args, program)] as const));
  return { ...config, images: Object.fromEntries(images) };
};

async function factsOf(disk: DiskInArgs, args: readonly string[], program: string): Promise<ImageFacts> {
  const found = imageIn(disk, args);
  if (typeof found === "string") return { why: found };
  try {
    const image: ImageFile = { ...found, isDevice: statSync(found.file).isBlockDevice() };
    return { image, size: await imageSize(program, image, {}), readOnly: found.readOnly };
  } catch (error) {
    return { why: messageOf(error) };
  }
}

/** The image of a disk, by the words of its config; a text says why they name none. */
function imageIn({ medium }: DiskInArgs, args: readonly string[]): (ImageFile & { readonly readOnly: boolean }) | string {
  if (medium === null) return "nothing is in it";
  const values = deviceValues(medium);
  const readOnly = ["read-only", "readonly"].some((key) => values.get(key) === "on") || values.get("media") === "cdrom";
  if (medium.name === "blockdev") {
    const top = placedOptions(args).find(({ option }) => option.words.join("\0") === medium.words.join("\0"));
    const found = top === undefined ? null : fileBeneath(top, args);
    return found === null ? `its words are no format on a file: ${medium.value}` : { file: found.file, format: found.format, readOnly };
  }
  const file = medium.name === "drive" ? (values.get("file") ?? "") : (medium.value ?? medium.words[0] ?? "");
  const format = medium.name === "drive" ? values.get("format") : undefined;
  return file.startsWith("/") ? { file, format: format ?? formatOf(file), readOnly } : `its words name no file: ${medium.words.join(" ")}`;
}
