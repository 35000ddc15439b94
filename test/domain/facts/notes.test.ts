import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { GIB, liveOf, MIB, slotOf, slotsOf } from "../../../scripts/lab/facts.ts";
import { openFolder, statePaths, type StatePaths } from "../../../src/config/runtime.ts";
import type { Live } from "../../../src/domain/facts/live.ts";
import { forgetNotes, type Going, type MachineNotes, readNotes, writeNotes } from "../../../src/domain/facts/notes.ts";
import { bootId } from "../../../src/host/processes.ts";
import { ownFolders } from "../../config/folder.ts";

const QEMU = { pid: 4711, started: 123_456 };

async function books(): Promise<StatePaths> {
  const paths = statePaths(await ownFolders(), "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b");
  await openFolder(paths.folder);
  return paths;
}

/** What a reader finds of a note, on a machine that looks so. */
async function found(asked: MachineNotes, going: Going | undefined, live: Live): Promise<MachineNotes> {
  const paths = await books();
  await writeNotes(paths, QEMU, asked, going);
  return readNotes(paths, QEMU, live);
}

describe("the note of what was asked", () => {
  test("comes back as it was written, for the process that it is about, and for its owner's eyes only", async () => {
    const paths = await books();
    const asked = { balloon: 300 * MIB, balloonOr: GIB, unplug: [3, 2], threads: 4 };
    await writeNotes(paths, QEMU, asked);
    expect(await readNotes(paths, QEMU, liveOf())).toEqual(asked);
    expect((await stat(paths.notes)).mode & 0o777).toBe(0o600);
    expect(await readdir(paths.folder)).toEqual(["notes"]);
  });

  test("is nobody's where there is no process, or another one by now, or another run of the host", async () => {
    const paths = await books();
    await writeNotes(paths, null, { balloon: 1 });
    expect(await readdir(paths.folder)).toEqual([]);
    await writeNotes(paths, QEMU, { balloon: 1 });
    expect(await readNotes(paths, null, liveOf())).toEqual({});
    expect(await readNotes(paths, { ...QEMU, started: QEMU.started + 1 }, liveOf())).toEqual({});
    expect(await readNotes(paths, { ...QEMU, pid: QEMU.pid + 1 }, liveOf())).toEqual({});
    await writeFile(paths.notes, JSON.stringify({ process: QEMU, boot: `not ${bootId()}`, asked: { balloon: 1 } }));
    expect(await readNotes(paths, QEMU, liveOf())).toEqual({});
  });

  test("is replaced whole: nothing of the one before stays", async () => {
    const paths = await books();
    await writeNotes(paths, QEMU, { balloon: 1, threads: 4 }, { asked: { balloon: 2 }, plugging: [3] });
    await writeNotes(paths, QEMU, { unplug: [] });
    expect(JSON.parse(await readFile(paths.notes, "utf8"))).toEqual({ process: QEMU, boot: bootId(), asked: { unplug: [] } });
  });

  test("takes the place of what a dead writer began, and of a link that somebody planted there, which leads nowhere else", async () => {
    const paths = await books();
    const victim = join(paths.folder, "victim");
    await writeFile(victim, "theirs");
    await symlink(victim, paths.notes);
    await symlink(victim, `${paths.notes}.new`);
    expect(await readNotes(paths, QEMU, liveOf())).toEqual({});
    await writeNotes(paths, QEMU, { balloon: 1 });
    expect(await readNotes(paths, QEMU, liveOf())).toEqual({ balloon: 1 });
    expect([await readFile(victim, "utf8"), (await lstat(paths.notes)).isFile(), (await readdir(paths.folder)).sort()]).toEqual([
      "theirs",
      true,
      ["notes", "victim"],
    ]);
  });

  test("that can't be written says where, and leaves nothing", async () => {
    const paths = await books();
    await mkdir(paths.notes);
    await expect(writeNotes(paths, QEMU, { balloon: 1 })).rejects.toMatchObject({
      code: "host",
      message: expect.stringContaining(`${paths.notes}: EISDIR`) as string,
    });
    expect(await readdir(paths.folder)).toEqual(["notes"]);
  });

  test("is forgotten with its process", async () => {
    const paths = await books();
    await writeNotes(paths, QEMU, { balloon: 1 });
    await forgetNotes(paths);
    await forgetNotes(paths);
    expect(await readdir(paths.folder)).toEqual([]);
    expect(await readNotes(paths, QEMU, liveOf())).toEqual({});
  });

  test.each(["", "{", "null", "[]", "7", '{"process":null}', '{"asked":{"balloon":1}}'])(
    "counts as none where it is damaged to %j",
    async (text) => {
      const paths = await books();
      await writeFile(paths.notes, text);
      expect(await readNotes(paths, QEMU, liveOf())).toEqual({});
    },
  );

  test("counts as far as it makes sense", async () => {
    const paths = await books();
    const asked = { balloon: "much", balloonOr: -1, unplug: [1, "2"], threads: 4 };
    await writeFile(paths.notes, JSON.stringify({ process: QEMU, boot: bootId(), asked }));
    expect(await readNotes(paths, QEMU, liveOf())).toEqual({ threads: 4 });
    await writeFile(
      paths.notes,
      JSON.stringify({
        process: QEMU,
        boot: bootId(),
        asked: { threads: 4 },
        going: { asked: { balloon: 1.5, unplug: "all" }, plugging: "all" },
      }),
    );
    expect(await readNotes(paths, QEMU, liveOf())).toEqual({ threads: 4 });
  });
});

describe("what was about to be asked when its writer died", () => {
  const { memory } = liveOf();

  test("counts a thread for each vCPU that shows, and none for one that does not", async () => {
    const going = { asked: { threads: 4 }, plugging: [2, 3] };
    expect(await found({ threads: 2 }, going, liveOf({ slots: slotsOf(4, 2) }))).toEqual({ threads: 2 });
    expect(await found({ threads: 2 }, going, liveOf({ slots: slotsOf(4, 3) }))).toEqual({ threads: 3 });
    expect(await found({ threads: 2 }, going, liveOf({ slots: slotsOf(4, 4) }))).toEqual({ threads: 4 });
    // One that we did not start has a number of threads that nobody knows.
    expect(await found({}, going, liveOf({ slots: slotsOf(4, 4) }))).toEqual({});
  });

  test("has a vCPU asked to leave where the guest is at it, or it was asked before", async () => {
    const going = { asked: { unplug: [2, 3] }, plugging: [] };
    const leaving = liveOf({ slots: [...slotsOf(4, 3).slice(0, 3), { ...slotOf(3, { plugged: true }), leaving: true }] });
    expect(await found({}, going, leaving)).toEqual({ unplug: [3] });
    expect(await found({ unplug: [2] }, going, leaving)).toEqual({ unplug: [2, 3] });
    expect(await found({}, going, liveOf({ slots: slotsOf(4, 4) }))).toEqual({});
    expect(await found({ unplug: [] }, going, liveOf({ slots: slotsOf(4, 4) }))).toEqual({ unplug: [] });
  });

  test("has all vCPUs of a slot leave together", async () => {
    const cores = [slotOf(0, { plugged: true, count: 2 }), { ...slotOf(2, { plugged: true, count: 2 }), leaving: true }];
    expect(await found({}, { asked: { unplug: [2, 3] }, plugging: [] }, liveOf({ slots: cores }))).toEqual({ unplug: [2, 3] });
  });

  test("leaves the balloon's target in doubt until the guest has reached it", async () => {
    const going = { asked: { balloon: 300 * MIB }, plugging: [] };
    expect(await found({ balloon: GIB }, going, liveOf())).toEqual({ balloon: GIB, balloonOr: 300 * MIB });
    expect(await found({}, going, liveOf({ memory: { ...memory, actual: 600 * MIB } }))).toEqual({ balloonOr: 300 * MIB });
    expect(await found({ balloon: GIB }, going, liveOf({ memory: { ...memory, actual: 300 * MIB } }))).toEqual({ balloon: 300 * MIB });
    // It had that target before: nothing is in doubt.
    expect(await found({ balloon: 300 * MIB }, going, liveOf())).toEqual({ balloon: 300 * MIB });
    expect(await found({ balloon: GIB }, { asked: { balloon: GIB, unplug: [3] }, plugging: [] }, liveOf())).toEqual({ balloon: GIB });
  });

  test("has no doubt left of the one before when the guest has reached the last target", async () => {
    const going = { asked: { balloon: 300 * MIB }, plugging: [] };
    expect(await found({ balloon: GIB, balloonOr: 500 * MIB }, going, liveOf({ memory: { ...memory, actual: 300 * MIB } }))).toEqual({
      balloon: 300 * MIB,
    });
    expect(await found({ balloon: GIB, balloonOr: 500 * MIB }, going, liveOf())).toEqual({ balloon: GIB, balloonOr: 300 * MIB });
  });
});

describe("a note in a machine's run-time folder, of a version before this one", () => {
  test("counts as long as there is no newer one, for its process", async () => {
    const paths = await books();
    const old = join(paths.folder, "old");
    await mkdir(old);
    await writeFile(join(old, "asked.json"), JSON.stringify({ ...QEMU, balloon: 300 * MIB, threads: 3 }));
    expect(await readNotes(paths, QEMU, liveOf(), old)).toEqual({ balloon: 300 * MIB, threads: 3 });
    expect(await readNotes(paths, { ...QEMU, started: 1 }, liveOf(), old)).toEqual({});
    expect(await readNotes(paths, QEMU, liveOf(), join(old, "none"))).toEqual({});
    await writeNotes(paths, QEMU, { threads: 4 });
    expect(await readNotes(paths, QEMU, liveOf(), old)).toEqual({ threads: 4 });
  });
});
