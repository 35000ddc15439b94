import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { defineFrom, refusedSections } from "../../../src/domain/lifecycle/board.ts";
import { ownFolder } from "../../config/folder.ts";

// What real emulators say of their boards is in test/qemu/corpus.test.ts.

/** A program that takes note that it was run, and ends as a QEMU does that can't start. */
async function emulator(): Promise<{ readonly path: string; readonly folder: string; readonly ran: string }> {
  const folder = await ownFolder();
  const path = join(folder, "qemu-system-aarch64");
  await writeFile(
    path,
    `#!/bin/sh\necho "$@" >> ${folder}/ran\necho "qemu-system-aarch64: unsupported machine type" >&2\necho "Use -machine help" >&2\nexit 1\n`,
  );
  await chmod(path, 0o755);
  return { path, folder, ran: join(folder, "ran") };
}

describe("what is left to the board", () => {
  test("is asked of the emulator, without anything else of the command line", async () => {
    const { path, ran } = await emulator();
    await expect(defineFrom([path, "-name", "a", "-M", "virt,gic-version=3", "-m", "1G", "-drive", "file=/x"], {})).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(
        /^command line: it leaves its memory \(-m\) or its vCPUs \(-smp\) to virt, and that could not be asked for: .*unsupported machine type \/ Use -machine help$/,
      ) as string,
      expected: "-m SIZE and -smp N on the command line",
    });
    expect(await readFile(ran, "utf8")).toMatch(/^-machine type=virt,accel=tcg:kvm -nodefaults -no-user-config -display none -S /);
  });

  test("is asked again with what the board is booted from, where that is on the command line", async () => {
    const { path, ran } = await emulator();
    await expect(defineFrom([path, "-name", "a", "-M", "cheetah", "-m", "1G", "-kernel", "/k", "-append", "x"], {})).rejects.toMatchObject({
      code: "usage",
    });
    expect((await readFile(ran, "utf8")).split("\n").map((line) => line.replace(/ -(chardev|add-fd|qmp|mon) .*$/, ""))).toEqual([
      "-machine type=cheetah,accel=tcg:kvm -nodefaults -no-user-config -display none -S",
      "-machine type=cheetah,accel=tcg:kvm -nodefaults -no-user-config -display none -S -kernel /k",
      "",
    ]);
  });

  test("is not asked where the command line says all, starts no machine, or the board is a PC", async () => {
    const { path, ran } = await emulator();
    const words = [path, "-name", "a", "-M", "virt"];
    expect((await defineFrom([...words, "-m", "1G", "-smp", "2"], {})).config).toMatchObject({
      memory: { max: 2 ** 30 },
      vcpus: { max: 2 },
    });
    await expect(defineFrom([...words, "-device", "help"], {})).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("QEMU prints and ends") as string,
    });
    expect((await defineFrom(["/no/such/qemu-system-x86_64", "-name", "a"], {})).config).toMatchObject({
      memory: { max: 128 * 2 ** 20 },
      vcpus: { max: 1 },
    });
    await expect(readFile(ran)).rejects.toThrow("ENOENT");
  });

  test("can't be asked of an emulator that is not there", async () => {
    const words = ["/no/such/qemu-system-riscv64", "-name", "a"];
    await expect(defineFrom([...words, "-M", "sifive_u"], {})).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(
        "to sifive_u, and that could not be asked for: /no/such/qemu-system-riscv64: there is no such program",
      ) as string,
    });
    // Where no board is named it has most likely nothing of its own: told, as nobody can know.
    expect(await defineFrom([...words, "-m", "1G"], {})).toMatchObject({
      config: { memory: { max: 2 ** 30 }, vcpus: { max: 1, current: 1 } },
      notes: [
        "/no/such/qemu-system-riscv64: there is no such program, so it can't be asked what its machine has by default: taken for 128MiB and 1 vCPU, as most machines have; -m and -smp set others",
      ],
    });
  });
});

test("files of -readconfig are looked into from the folder that they are resolved against; what is not there is not", async () => {
  const folder = await ownFolder();
  await writeFile(join(folder, "own.cfg"), "[memory]\nsize = 1\n");
  expect(await refusedSections(["-readconfig", "own.cfg", "-readconfig", "none.cfg", "-append", "-readconfig"], folder)).toEqual([
    `${folder}/own.cfg: its section [memory] is the key "memory", as -m`,
  ]);
});
