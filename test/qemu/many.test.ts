import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import type { HistoryEntry } from "../../src/domain/views/history.ts";
import { programInTerminal } from "../cli/pty.ts";
import { openHost } from "./host.ts";

const VCPUS = { max: 4, current: 1 };

describe.each(await qemusInTime(1))("on QEMU $version", (qemu) => {
  test("history has each change once, also if its process is killed before its line or before its journal is gone", async () => {
    await using host = await openHost(qemu);
    const history = async (): Promise<readonly HistoryEntry[]> =>
      JSON.parse(await host.ok("history", "web", "--json")) as readonly HistoryEntry[];
    await host.define("web", { vcpus: VCPUS });
    await host.ok("start", "web");
    await host.ok("setvcpus", "web", "2", "--both");
    expect(await history()).toMatchObject([
      { what: "define" },
      { what: "start", about: expect.stringMatching(/^process \d+$/) as string },
      { outcome: "applied", changes: [{ name: "vcpus", static: { before: 1, actual: 2 }, dynamic: { before: 1, actual: 2 } }] },
    ]);

    const written = { call: "rm", path: "/journal$", when: "before", nth: 1, act: "kill" } as const;
    expect((await host.cli(["setvcpus", "web", "3", "--both"], { fault: written })).code).toBeNull();
    expect((await history()).at(-1)).toMatchObject({ outcome: "applied", changes: [{ dynamic: { before: 2, actual: 3 } }] });
    await host.ok("recover", "web", "--finish");
    const [told, finished] = (await history()).slice(-2);
    expect([told, finished]).toMatchObject([{ outcome: "applied" }, { what: "recover", about: "finish", recovers: told?.key }]);

    const unwritten = { ...written, call: "openSync", path: "/history$" } as const;
    const killed = await host.cli(["setvcpus", "web", "4", "--both"], { fault: unwritten });
    expect([killed.code, (await history()).length]).toEqual([null, 5]);
    await host.ok("recover", "web", "--finish");
    expect((await history()).slice(-2)).toMatchObject([
      {
        outcome: "failed",
        about: expect.stringMatching(/^interrupted: process \d+ ended during it$/) as string,
        who: { program: ["qmpctl", "setvcpus", "web", "4", "--both"] },
        changes: [{ dynamic: { before: 3, wanted: 4 } }],
      },
      { what: "recover", about: "finish" },
    ]);
    await host.ok("destroy", "web");
    expect((await history()).at(-1)).toMatchObject({ what: "destroy", about: "destroyed" });
  });

  test("files of several domains, a whole config and an edit change what runs, and what the next start uses", async () => {
    await using host = await openHost(qemu);
    for (const name of ["a", "b"]) await host.define(name, { vcpus: VCPUS });
    await host.ok("start", "a");
    const folder = host.path("files");
    await mkdir(folder);
    await host.ok("apply", "a", await put(folder, "x.json", { vcpus: { current: 2 } }), "--both");
    expect((await host.info("a")).live.vcpus).toBe(2);
    const files = [await put(folder, "a.json", { vcpus: { current: 3 } }), await put(folder, "b.json", { vcpus: { current: 9 } })];
    expect((await host.cli(["apply", ...files])).code).toBe(3);
    expect((await host.info("a")).live.vcpus).toBe(2);
    await put(folder, "b.json", { vcpus: { current: 3 } });
    expect(await host.ok("apply", ...files)).toBe("a: applied vcpus live 2 -> 3\nb: applied vcpus in the config 1 -> 3\n");
    expect((await host.info("a")).live.vcpus).toBe(3);

    expect((await host.cli(["diff", "--all", "--exit-code"])).code).toBe(1);
    await host.ok("persist", "a");
    expect((await host.cli(["diff", "--all", "--exit-code"])).code).toBe(0);

    const other = join(folder, "config");
    await writeFile(other, await host.ok("config", "b"));
    await host.ok("setvcpus", "b", "1");
    expect(await host.ok("apply", "b", other)).toMatch(/vcpus +static +1 -> 3/);

    await using terminal = programInTerminal([process.execPath, MAIN, "edit", "a"], {
      ...host.env,
      EDITOR: 'sed -i -e \'s/"current": 3/"current": 2/\'',
    } as never);
    await terminal.says(/it runs, and goes on as it is: this is\s+for its next start/);
    expect(await terminal.ended).toBe(0);
    expect([(await host.info("a")).live.vcpus, (await host.info("a")).config.vcpus]).toEqual([3, 2]);
    expect((await host.cli(["diff", "a", "--exit-code"])).code).toBe(1);
  });
});

const MAIN = new URL("../../dist/cli/main.js", import.meta.url).pathname;

async function put(folder: string, name: string, value: object): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(value));
  return path;
}
