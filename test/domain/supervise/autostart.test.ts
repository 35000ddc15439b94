import { appendFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Domain } from "../../../src/domain/domain.ts";
import { programIs } from "../../../src/host/own-program.ts";
import { ownFolder } from "../../config/folder.ts";
import { definedDomain, type Scene } from "../scene.ts";

const SYSTEM = process.geteuid?.() === 0;
const WANTS = SYSTEM ? "multi-user.target.wants" : "default.target.wants";

interface Units {
  readonly scene: Scene;
  readonly domain: Domain;
  readonly unitDir: string;
  readonly path: string;
}

/** A domain whose units are in a folder that no systemd reads. */
async function withUnits(): Promise<Units> {
  programIs(() => ({ path: import.meta.filename }));
  const scene = await definedDomain();
  const unitDir = await ownFolder();
  const domain = await Domain.open("web1", { ...scene.options, unitDir });
  return { scene, domain, unitDir, path: join(unitDir, "qmpctl-web1.service") };
}

test("it is installed and enabled, the second time nothing is changed, and info tells", async () => {
  const { domain, scene, unitDir, path } = await withUnits();
  expect((await domain.info()).autostart).toBeUndefined();
  expect(await domain.autostart()).toMatchObject({ autostart: true, changed: true, unit: "qmpctl-web1.service", path });
  expect(await domain.autostart()).toMatchObject({ autostart: true, changed: false });
  const text = await readFile(path, "utf8");
  expect(await readFile(join(unitDir, WANTS, "qmpctl-web1.service"), "utf8")).toBe(text);
  expect(text).toContain(`run ${scene.place.config?.path}\n`);
  expect((await domain.info()).autostart).toBe(true);
  // Another time to shut down is another text, and still ours.
  expect(await domain.autostart({ shutdownTimeout: 300_000 })).toMatchObject({ changed: true });
  expect(await readFile(path, "utf8")).toContain("--shutdown-timeout 300000ms");
});

test("disabled, what was made is gone, and the second time there is nothing to do", async () => {
  const { domain, path } = await withUnits();
  await domain.autostart();
  expect(await domain.autostart({ disable: true })).toMatchObject({ autostart: false, changed: true });
  await expect(readFile(path)).rejects.toMatchObject({ code: "ENOENT" });
  expect(await domain.autostart({ disable: true })).toMatchObject({ autostart: false, changed: false });
  expect((await domain.info()).autostart).toBeUndefined();
});

test("an edited unit is neither written nor removed, unless that is forced", async () => {
  const { domain, path } = await withUnits();
  await domain.autostart();
  await appendFile(path, "# mine\n");
  const edited = await readFile(path, "utf8");
  for (const options of [{}, { disable: true }])
    await expect(domain.autostart(options)).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("was changed") as string,
    });
  expect(await readFile(path, "utf8")).toBe(edited);
  expect(await domain.autostart({ force: true })).toMatchObject({ changed: true });
  expect(await readFile(path, "utf8")).not.toContain("# mine");
});

test("somebody else's unit of that name is left alone", async () => {
  const { domain, path } = await withUnits();
  await writeFile(path, "[Service]\nExecStart=/bin/true\n");
  await expect(domain.autostart()).rejects.toMatchObject({
    message: expect.stringContaining("was not made by qmpctl autostart") as string,
  });
  await expect(domain.autostart({ disable: true })).rejects.toMatchObject({ code: "refused" });
  expect((await domain.info()).autostart).toBeUndefined();
});

test("undefine takes the unit along, and leaves an edited one, which it names", async () => {
  const first = await withUnits();
  await first.domain.autostart();
  expect(await first.domain.undefine()).toMatchObject({ notes: [expect.stringContaining("is removed too")] });
  await expect(readFile(first.path)).rejects.toMatchObject({ code: "ENOENT" });
  const second = await withUnits();
  await second.domain.autostart();
  await appendFile(second.path, "# mine\n");
  expect(await second.domain.undefine()).toMatchObject({ notes: [expect.stringContaining("is left")] });
  expect(await readFile(second.path, "utf8")).toContain("# mine");
});

test("a config that has moved takes its unit over; another domain of the same name does not", async () => {
  const { domain, scene, unitDir, path } = await withUnits();
  await domain.autostart();
  const elsewhere = join(await ownFolder(), "web1.json");
  const old = scene.place.config?.path ?? "";
  await writeFile(elsewhere, await readFile(old, "utf8"), { mode: 0o600 });
  const moved = await Domain.open(elsewhere, { ...scene.options, unitDir });
  await expect(moved.autostart()).rejects.toMatchObject({
    message: expect.stringContaining(`another domain of this name, ${old}`) as string,
  });
  await rm(old);
  expect(await moved.autostart()).toMatchObject({ changed: true, notes: [`it was for ${old} before`] });
  expect(await readFile(path, "utf8")).toContain(`run ${elsewhere}\n`);
  // Gone altogether, its unit is nobody's, and may be removed.
  await rename(elsewhere, old);
  expect(await domain.autostart({ disable: true })).toMatchObject({ changed: true });
});

test("without a program that stays there is no unit, and the way is told", async () => {
  const { domain, unitDir } = await withUnits();
  programIs(() => ({ text: () => "" }));
  await expect(domain.unit()).rejects.toMatchObject({ code: "refused", message: expect.stringContaining("--installed") as string });
  programIs(() => undefined);
  await expect(domain.autostart()).rejects.toMatchObject({ code: "refused" });
  await mkdir(join(unitDir, WANTS), { recursive: true });
  expect(await domain.autostart({ disable: true })).toMatchObject({ changed: false });
});
