import { execFileSync } from "node:child_process";
import { chmod, chown, link, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigError, type ConfigProblem } from "../../src/config/config-error.ts";
import { listNames } from "../../src/config/config-folder.ts";
import type { Folders } from "../../src/config/folders.ts";
import { locate } from "../../src/config/locate.ts";
import { writeNew } from "../../src/config/safe-file.ts";
import { createConfig, prepareConfig, readConfig, removeConfig, type Stored, sweepLeftovers } from "../../src/config/store.ts";
import { isAlive } from "../../src/host/threads.ts";
import { runModule, runProgram } from "../host/processes.ts";
import { configText } from "./fixtures.ts";
import { ownFolder, ownFolders } from "./folder.ts";

const [STORE, LOCATE] = ["store", "locate"].map((name) => new URL(`../../src/config/${name}.ts`, import.meta.url).pathname);
const OLD = configText();
const NEW = configText({ vcpus: { max: 2, current: 2 } });

async function defined(folders: Folders): Promise<Stored> {
  return createConfig(await locate("web1", folders), OLD);
}

async function refused(action: Promise<unknown>, problem: ConfigProblem): Promise<string> {
  const error = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).problem).toBe(problem);
  return (error as ConfigError).message;
}

describe("a config that is defined", () => {
  test("is written for us alone, and read back", async () => {
    const folders = await ownFolders();
    const stored = await defined(folders);
    expect((await stat(stored.path)).mode & 0o777).toBe(0o600);
    expect((await stat(folders.config)).mode & 0o777).toBe(0o700);
    expect(await readConfig(stored.place)).toEqual(stored);
    expect(stored.config.vcpus.current).toBe(1);
    expect(await readdir(folders.config)).toEqual(["web1.json"]);
  });

  test("is not written over, unless that is asked for", async () => {
    const { place } = await defined(await ownFolders());
    expect(await refused(createConfig(place, NEW), "exists")).toBe(
      `${place.path}: there is such a config already; define --replace puts the new one in its place`,
    );
    expect((await readConfig(place)).text).toBe(OLD);
    await createConfig(place, NEW, { replace: true });
    expect((await readConfig(place)).text).toBe(NEW);
  });

  test("is never written with what can't be read again", async () => {
    const folders = await ownFolders();
    const { place } = await defined(folders);
    await refused(createConfig(await locate("web2", folders), OLD), "invalid");
    await refused(createConfig(place, "{", { replace: true }), "invalid");
    expect((await readConfig(place)).text).toBe(OLD);
  });

  test("of the config folder has its file's name; elsewhere any", async () => {
    const folders = await ownFolders();
    await defined(folders);
    await rename(join(folders.config, "web1.json"), join(folders.config, "web2.json"));
    expect(await refused(readConfig(await locate("web2", folders)), "invalid")).toMatch(
      /name is "web1", expected "web2", as the file is called$/,
    );
    const elsewhere = await locate(join(await ownFolder(), "x.json"), folders);
    expect((await createConfig(elsewhere, OLD)).config.name).toBe("web1");
  });

  test("is listed by its name; what can't be a config is not", async () => {
    const folders = await ownFolders();
    expect(await listNames(folders)).toEqual([]);
    await defined(folders);
    for (const file of ["a.json", ".hidden.json", ".web1.json.0123456789ab.new", "notes.txt", "b c.json"])
      await writeFile(join(folders.config, file), "");
    expect(await listNames(folders)).toEqual(["a", "web1"]);
  });

  test("is removed when it is what was read", async () => {
    const stored = await defined(await ownFolders());
    await writeFile(stored.path, NEW);
    await refused(removeConfig(stored), "changed");
    await removeConfig(await readConfig(stored.place));
    await refused(readConfig(stored.place), "missing");
  });
});

describe("a change of a config", () => {
  test("is not in force before its commit, and then all at once", async () => {
    const stored = await defined(await ownFolders());
    const prepared = await prepareConfig(stored, NEW);
    expect(await readFile(stored.path, "utf8")).toBe(OLD);
    expect(await readFile(prepared.temporary, "utf8")).toBe(NEW);
    expect((await stat(prepared.temporary)).mode & 0o777).toBe(0o600);
    const next = await prepared.commit();
    expect(next).toEqual(await readConfig(stored.place));
    expect(next.text).toBe(NEW);
    await prepared.drop();
    expect(await readdir(join(stored.path, ".."))).toEqual(["web1.json"]);
  });

  test("that is dropped leaves nothing, and can't be committed any more", async () => {
    const stored = await defined(await ownFolders());
    const prepared = await prepareConfig(stored, NEW);
    await prepared.drop();
    await prepared.drop();
    expect(await readdir(join(stored.path, ".."))).toEqual(["web1.json"]);
    await refused(prepared.commit(), "io");
    expect(await readFile(stored.path, "utf8")).toBe(OLD);
  });

  test.each([
    ["rewritten in place", (path: string) => writeFile(path, NEW)],
    ["removed", (path: string) => rm(path)],
    ["replaced by a link", async (path: string) => rm(path).then(() => symlink("/etc/passwd", path))],
  ] as const)("is refused when the file was %s meanwhile", async (_how, meddle) => {
    const stored = await defined(await ownFolders());
    const prepared = await prepareConfig(stored, configText({ vcpus: { max: 9, current: 1 } }));
    await meddle(stored.path);
    const error = await prepared.commit().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect((error as ConfigError).problem).toMatch(/^(changed|unsafe)$/);
    await prepared.drop();
    expect((await readdir(join(stored.path, ".."))).filter((file) => file.endsWith(".new"))).toEqual([]);
  });

  test("is refused at once when the file is no longer what was read", async () => {
    const stored = await defined(await ownFolders());
    await writeFile(stored.path, NEW);
    expect(await refused(prepareConfig(stored, NEW), "changed")).toBe(`${stored.path}: somebody else changed it since it was read`);
    expect(await readdir(join(stored.path, ".."))).toEqual(["web1.json"]);
  });

  test("to something that can't be read is refused before anything is written", async () => {
    const stored = await defined(await ownFolders());
    await refused(prepareConfig(stored, configText({ vcpus: { max: 1, current: 2 } })), "invalid");
    expect(await readdir(join(stored.path, ".."))).toEqual(["web1.json"]);
  });

  test("that can't be written is refused, by the config's name", async () => {
    const stored = await defined(await ownFolders());
    // No user at all, not even root, may make a file in a folder that is gone.
    await rename(join(stored.path, ".."), `${join(stored.path, "..")}.away`);
    expect(await refused(prepareConfig(stored, NEW), "changed")).toBe(`${stored.path}: somebody removed it since it was read`);
    const temporary = join(stored.path, "..", ".x.new");
    expect(await refused(writeNew(temporary, NEW, stored.path), "io")).toBe(
      `${stored.path}: its new text can't be written: ENOENT: no such file or directory`,
    );
  });

  test("keeps the file's owner and group", async () => {
    const stored = await defined(await ownFolders());
    const { uid, gid } = userInfo();
    if (uid === 0) await chown(stored.path, 0, 12);
    await (await prepareConfig(await readConfig(stored.place), NEW)).commit();
    expect(await stat(stored.path)).toMatchObject({ uid, gid: uid === 0 ? 12 : gid });
  });

  test("keeps who may read it", async () => {
    const stored = await defined(await ownFolders());
    await chmod(stored.path, 0o640);
    const prepared = await prepareConfig(await readConfig(stored.place), NEW);
    expect([prepared.note, (await stat(prepared.temporary)).mode & 0o777]).toEqual([null, 0o600]);
    await prepared.commit();
    expect((await stat(stored.path)).mode & 0o777).toBe(0o640);
  });

  // To have a file of a group that one is not in takes root, who then becomes that user.
  test.runIf(userInfo().uid === 0)(
    "F10: whose group this user is not in is made all the same: the group is told of, and gets no rights of it",
    async () => {
      const folders = await ownFolders();
      const { path } = await defined(folders);
      for (const folder of [dirname(folders.config), folders.config, path]) await chown(folder, 1234, 12);
      await chmod(path, 0o664);
      const { said } = await runModule(
        `import { prepareConfig, readConfig } from ${JSON.stringify(STORE)}; import { locate } from ${JSON.stringify(LOCATE)};
      process.setgroups([]), process.setgid(1234), process.setuid(1234);
      const stored = await readConfig(await locate("web1", ${JSON.stringify(folders)}));
      const prepared = await prepareConfig(stored, ${JSON.stringify(NEW)});
      await prepared.commit();
      console.log(prepared.note);`,
      );
      expect(said).toMatch(/^the config had group 12, which this user is not in/);
      expect(await stat(path)).toMatchObject({ uid: 1234, gid: 1234 });
      expect([await readFile(path, "utf8"), (await stat(path)).mode & 0o777]).toEqual([NEW, 0o644]);
    },
  );

  test("of a writer that died is swept away, and nothing else", async () => {
    const folders = await ownFolders();
    const stored = await defined(folders);
    await prepareConfig(stored, NEW);
    // As a version before this one called them, and one of a writer that is gone.
    for (const file of [
      ".web1.json.0123456789ab.new",
      ".web1.json.4194305-0123456789ab.new",
      ".web2.json.0123456789ab.new",
      ".web1.json.x-0123456789ab.new",
      ".web1.json.4194305-0123456789ab.new.bak",
    ])
      await writeFile(join(folders.config, file), "");
    expect(await sweepLeftovers(stored.place, isAlive)).toBe(3);
    expect((await readdir(folders.config)).sort()).toEqual([
      ".web1.json.4194305-0123456789ab.new.bak",
      ".web1.json.x-0123456789ab.new",
      ".web2.json.0123456789ab.new",
      "web1.json",
    ]);
  });

  test("of a writer that lives, as of one whose lock file somebody removed, is left for it", async () => {
    const folders = await ownFolders();
    const stored = await defined(folders);
    const other = await runProgram("sh", "-c", "echo up; exec cat");
    const theirs = `.web1.json.${other.pid}-0123456789ab.new`;
    await writeFile(join(folders.config, theirs), NEW);
    expect(await sweepLeftovers(stored.place, isAlive)).toBe(0);
    expect((await readdir(folders.config)).sort()).toEqual([theirs, "web1.json"]);
    await other.kill();
    expect(await sweepLeftovers(stored.place, isAlive)).toBe(1);
    expect(await readdir(folders.config)).toEqual(["web1.json"]);
  });

  test("is of this process while it is prepared: its name says so", async () => {
    const stored = await defined(await ownFolders());
    const prepared = await prepareConfig(stored, NEW);
    expect(basename(prepared.temporary)).toMatch(new RegExp(`^\\.web1\\.json\\.${process.pid}-[0-9a-f]{12}\\.new$`));
    await prepared.drop();
  });

  test("knows how many names its file has", async () => {
    const stored = await defined(await ownFolders());
    expect([stored.links, (await readConfig(stored.place)).links]).toEqual([1, 1]);
    await link(stored.path, `${stored.path}.other`);
    expect((await readConfig(stored.place)).links).toBe(2);
  });
});

describe("what is no config", () => {
  async function place(make: (path: string) => unknown): Promise<Stored> {
    const folders = await ownFolders();
    await mkdir(folders.config);
    const at = await locate("web1", folders);
    await make(at.path);
    return readConfig(at);
  }

  test.each([
    ["nothing at all", () => undefined, "missing", /there is no such config$/],
    ["a folder", (path: string) => mkdir(path), "unsafe", /a folder, not a file$/],
    ["a FIFO without a writer", (path: string) => execFileSync("mkfifo", [path]), "unsafe", /not a regular file$/],
    ["a link", (path: string) => symlink("/etc/passwd", path), "unsafe", /a symbolic link$/],
    [
      "100 MB",
      (path: string) => execFileSync("truncate", ["-s", "100M", path]),
      "invalid",
      /104857600 bytes, more than the 1048576 that it may have$/,
    ],
    ["not UTF-8", (path: string) => writeFile(path, new Uint8Array([0x7b, 0xff, 0x7d])), "invalid", /not UTF-8 text$/],
    [
      "for everybody to write",
      (path: string) => writeFile(path, OLD).then(() => chmod(path, 0o666)),
      "unsafe",
      /everybody can write it \(mode 666\); chmod o-w it$/,
    ],
  ] as const)("is refused quickly: %s", async (_what, make, problem, message) => {
    expect(await refused(place(make), problem)).toMatch(message);
  });

  test.runIf(userInfo().uid === 0)("is refused: one of somebody else, when root asks", async () => {
    expect(
      await refused(
        place((path) => writeFile(path, OLD).then(() => chown(path, 1234, 0))),
        "unsafe",
      ),
    ).toMatch(/belongs to user 1234, not to the one who runs this$/);
  });

  test("a byte order mark and Windows line ends stay", async () => {
    const text = `\uFEFF${OLD.replaceAll("\n", "\r\n")}`;
    const stored = await place((path) => writeFile(path, text));
    expect(stored.text).toBe(text);
  });
});
