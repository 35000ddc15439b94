import { link, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/config-error.ts";
import { locate } from "../../src/config/locate.ts";
import { UsageError } from "../../src/errors.ts";
import { ownFolder, ownFolders } from "./folder.ts";

describe("locate", () => {
  test("finds a name in the config folder, also before it is there", async () => {
    const folders = await ownFolders();
    expect(await locate("web1", folders)).toEqual({ path: join(folders.config, "web1.json"), name: "web1", named: true, key: "web1" });
  });

  test("takes a path into the config folder for the name", async () => {
    const folders = await ownFolders();
    await mkdir(folders.config);
    expect((await locate(join(folders.config, "web1.json"), folders)).key).toBe("web1");
    expect((await locate(join(folders.config, "..", "etc", "web1.json"), folders)).key).toBe("web1");
  });

  test("gives a config elsewhere a key of its own, the same through whatever path", async () => {
    const folders = await ownFolders();
    const folder = await ownFolder();
    await mkdir(join(folder, "real"));
    await symlink("real", join(folder, "alias"));
    const place = await locate(join(folder, "real", "web1.json"), folders);
    expect(place).toMatchObject({ name: "web1", named: false });
    expect(place.key).toMatch(/^web1@[0-9a-f]{8}$/);
    expect(await locate(join(folder, "alias", "web1.json"), folders)).toEqual(place);
    expect((await locate(join(folder, "web1.json"), folders)).key).not.toBe(place.key);
  });

  test("makes a safe key of any file name", async () => {
    const folder = await ownFolder();
    const { key } = await locate(join(folder, `..ünsafe\n${"x".repeat(200)}.json`), await ownFolders());
    expect(key).toMatch(/^_\._nsafe_x{31}@[0-9a-f]{8}$/);
  });

  test("follows a link to a neighbour, and none out of the folder", async () => {
    const folders = await ownFolders();
    await mkdir(folders.config);
    const outside = join(await ownFolder(), "evil.json");
    await writeFile(outside, "{}");
    await symlink("web1.json", join(folders.config, "alias.json"));
    await expect(locate("alias", folders)).rejects.toThrow(`${folders.config}/alias.json: a link that leads nowhere`);
    await writeFile(join(folders.config, "web1.json"), "{}");
    expect((await locate("alias", folders)).key).toBe("web1");
    await symlink(outside, join(folders.config, "out.json"));
    await expect(locate("out", folders)).rejects.toThrow(`a link that leads out of its folder, to ${outside}`);
    await symlink("loop.json", join(folders.config, "loop.json"));
    await expect(locate("loop", folders)).rejects.toThrow(ConfigError);
    await link(outside, join(folders.config, "hard.json"));
    expect((await locate("hard", folders)).key).toBe("hard");
  });

  test.each(["", ".", "..", "a b", "-x", "x".repeat(300), "a\nb", "unix:x", "~"])("refuses the name %j", async (name) => {
    await expect(locate(name, await ownFolders())).rejects.toThrow(UsageError);
  });

  test.each(["../x", "/etc/passwd\0.json", "a/../../b"])(
    "a path like %j never gets a key that leads out of the run-time folder",
    async (path) => {
      const place = await locate(path, await ownFolders()).catch((error: unknown) => error);
      if (place instanceof UsageError) expect(path).toContain("\0");
      else expect((place as { key: string }).key).toMatch(/^[\w.+-]+@[0-9a-f]{8}$/);
    },
  );
});
