import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { HostError } from "../errors.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";
import type { CallOptions } from "./tool.ts";

/** An image: its file, and the format in it. */
export interface ImageFile {
  readonly file: string;
  readonly format: string;
  /** A block device of the host. */
  readonly isDevice?: boolean;
}

/** The `qemu-img` beside an emulator, where there is one, as it knows the same formats; else that of the PATH. */
export function qemuImgFor(emulator: string): string {
  const beside = emulator.startsWith("/") ? join(dirname(emulator), "qemu-img") : "";
  return beside !== "" && existsSync(beside) ? beside : "qemu-img";
}

/** The size of the disk in an image, in bytes. Also while a QEMU has it open. @throws HostError with qemu-img's own words */
export async function imageSize(program: string, image: ImageFile, options: CallOptions): Promise<number> {
  const told = await run(program, ["info", "--force-share", "--output=json", "--image-opts", wordsOf(image)], options);
  return Number((JSON.parse(told) as { readonly "virtual-size": number })["virtual-size"]);
}

/** What {@link resizeImage} runs, as a person would type it. */
export function resizeWords(image: ImageFile, size: number): readonly string[] {
  return ["resize", "--image-opts", wordsOf(image), String(size)];
}

/**
 * Makes the disk in an image larger. It refuses to shrink one, and one that a QEMU has open. @throws HostError with qemu-img's own words
 */
export async function resizeImage(program: string, image: ImageFile, size: number, options: CallOptions): Promise<void> {
  await run(program, resizeWords(image, size), options);
}

function wordsOf({ file, format, isDevice = false }: ImageFile): string {
  return `driver=${format},file.driver=${isDevice ? "host_device" : "file"},file.filename=${file.replaceAll(",", ",,")}`;
}

function run(program: string, args: readonly string[], { signal, timeout = 5000 }: CallOptions): Promise<string> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    // Not ended by a signal: a half-done resize is worse than a late one.
    childProcesses().execFile(program, args, { timeout, killSignal: "SIGTERM", env: toolEnvironment() }, (cause, stdout, stderr) => {
      if (cause === null) return resolve(stdout);
      const isMissing = (cause as { readonly code?: unknown }).code === "ENOENT";
      const words = stderr.trim().split("\n").at(-1) ?? "";
      const why = isMissing
        ? "there is no qemu-img on this machine: it comes with QEMU, in the package qemu-utils"
        : words.replace(/^qemu-img: /, "") || cause.message;
      reject(new HostError(`${program}: ${why}`, { command: [program, ...args], stderr }, { cause }));
    });
  });
}
