import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pid } from "node:process";
import { describe, expect, onTestFinished, test } from "vitest";
import { cgroupMemoryOf } from "../../src/host/cgroup-memory.ts";
import { kernelFileIfThere } from "../../src/host/kernel-file.ts";

const MIB = 2 ** 20;

/** A tree as the kernel shows it, with these files. Only where a process stands in it is the kernel's own word. */
async function tree(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "qmpctl-test-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  return root;
}

/** Where we stand on this host, and the names of files there. */
const lines = (kernelFileIfThere("/proc/self/cgroup") ?? "").split("\n").map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
const first = lines.find((line) => line?.[1]?.split(",").includes("memory") === true)?.[2];
const path = first ?? lines.find((line) => line?.[1] === "")?.[2] ?? "/";
const [mount, file] = first === undefined ? ["", "memory.current"] : ["memory", "memory.usage_in_bytes"];

describe("the cgroup of a process", () => {
  test("that it has to itself says what it is charged for", async () => {
    const root = await tree({ [join(mount, path, file)]: `${8 * MIB}\n`, [join(mount, path, "cgroup.procs")]: `${pid}\n` });
    expect(await cgroupMemoryOf(pid, root)).toEqual({ path, charged: 8 * MIB });
  });

  test("says nothing of it if another process is in it, or in a group below it", async () => {
    const own = { [join(mount, path, file)]: "4096\n", [join(mount, path, "cgroup.procs")]: `${pid}\n` };
    expect(await cgroupMemoryOf(pid, await tree({ ...own, [join(mount, path, "cgroup.procs")]: `${pid}\n1\n` }))).toBeNull();
    expect(await cgroupMemoryOf(pid, await tree({ ...own, [join(mount, path, "helper/cgroup.procs")]: "1\n" }))).toBeNull();
    // The groups of its threads, as some start them.
    expect(await cgroupMemoryOf(pid, await tree({ ...own, [join(mount, path, "vcpu0/cgroup.procs")]: "" }))).toMatchObject({
      charged: 4096,
    });
  });

  test("that counts no memory has the nearest one above it count for it", async () => {
    const root = await tree({ [join(mount, file)]: "12288\n", [join(mount, path, "cgroup.procs")]: `${pid}\n` });
    expect(await cgroupMemoryOf(pid, root)).toEqual({ path: "/", charged: 12288 });
  });

  test("that can't be seen is none", async () => {
    expect(await cgroupMemoryOf(pid, await tree({}))).toBeNull();
    expect(await cgroupMemoryOf(2 ** 22 + 1)).toBeNull();
  });
});
