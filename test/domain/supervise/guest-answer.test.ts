import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { configOf } from "../../../scripts/lab/facts.ts";
import { consoleSources } from "../../../src/config/guest-console.ts";
import { readConfig } from "../../../src/config/store.ts";
import { openBooks } from "../../../src/domain/machine/lock.ts";
import { writeProcessRecord } from "../../../src/domain/machine/process-record.ts";
import type { StartReport } from "../../../src/domain/model/action.ts";
import { answerSource, type AnswerSource } from "../../../src/domain/supervise/guest-answer.ts";
import { startAndWait } from "../../../src/domain/supervise/start-and-wait.ts";
import { identifySelf } from "../../../src/host/own-process.ts";
import type { ProcessIdentity } from "../../../src/host/signal.ts";
import { ownFolder } from "../../config/folder.ts";
import { definedDomain } from "../scene.ts";

describe("consoleSources", () => {
  const of = (...args: readonly string[]): unknown => consoleSources(args, "/vm");

  test("finds files, logs and QEMU's own stdout", () => {
    expect(of("-serial", "file:out")).toEqual([{ kind: "file", path: "/vm/out", appends: false }]);
    expect(of("-chardev", "file,id=c,path=/log,append=on", "-serial", "chardev:c")).toEqual([
      { kind: "file", path: "/log", appends: true },
    ]);
    expect(of("-chardev", "pty,id=c,logfile=/log", "-device", "isa-serial,chardev=c")).toEqual([
      { kind: "file", path: "/log", appends: false },
    ]);
    expect(of("-nographic")).toEqual([{ kind: "stdio" }]);
    expect(of("-serial", "mon:stdio")).toEqual([{ kind: "stdio" }]);
  });

  test("takes nothing else for a console: an agent's channel, a socket that somebody uses, a device that nothing is on", () => {
    const agent = [
      "-chardev",
      "socket,id=a,path=/a,server=on,logfile=/log",
      "-device",
      "virtserialport,chardev=a,name=org.qemu.guest_agent.0",
    ];
    expect(of(...agent, "-serial", "unix:/s,server=on,wait=off", "-serial", "pty", "-chardev", "file,id=c,path=/x")).toEqual([]);
  });
});

/** A source for a machine whose console is a file with these lines. */
async function onConsole(pattern: string, append = false): Promise<{ readonly source: AnswerSource; readonly file: string }> {
  const file = join(await ownFolder(), "console");
  await writeFile(file, "login: of the life before\n");
  const device = ["-chardev", `file,id=c,path=${file},append=${append ? "on" : "off"}`, "-serial", "chardev:c"];
  const { place } = await definedDomain({ ...configOf(), args: [...configOf().args, ...device] });
  if (place.config === null) throw new Error("no config");
  return { source: answerSource(place, await readConfig(place.config), { console: pattern }), file };
}

describe("a console that is waited for", () => {
  test("answers with the line that has the pattern, though it has no end, and is in pieces and colours", async () => {
    const { source, file } = await onConsole("log[io]n:");
    await writeFile(file, "Booting\r\n\u001b[1;32mweb1 lo");
    expect(await source.look(1)).toBeUndefined();
    expect(source.seen()).toContain('is "web1 lo"');
    await appendFile(file, "gin:\u001b[0m ");
    expect(await source.look(1)).toBe("web1 login:");
  });

  test("what is in it of an earlier life is no answer, if QEMU leaves that there", async () => {
    const { source, file } = await onConsole("login:", true);
    expect(await source.look(1)).toBeUndefined();
    expect(source.seen()).toContain("nothing is on its console");
    await appendFile(file, "login: \n");
    expect(await source.look(1)).toBe("login:");
  });

  test("a pattern that is none, or that is everywhere, is refused before anything is done", async () => {
    for (const pattern of ["(", ""]) await expect(onConsole(pattern)).rejects.toMatchObject({ code: "usage" });
  });

  test("a machine without a console, or without an agent, is refused with what would do", async () => {
    const { domain } = await definedDomain();
    await expect(domain.start({ wait: { console: "x" } })).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("logfile=PATH") as string,
    });
    await expect(domain.start({ wait: { agent: true } })).rejects.toMatchObject({
      message: expect.stringContaining("--wait-for") as string,
    });
    await expect(domain.start({ wait: { agent: true }, paused: true })).rejects.toMatchObject({ code: "usage" });
  });
});

describe("a machine whose guest is waited for", () => {
  /** A wait for a console's line, once the machine was started as `process`. */
  async function waited(process: ProcessIdentity, timeout: number): Promise<unknown> {
    const file = join(await ownFolder(), "console");
    const scene = await definedDomain({ ...configOf(), args: [...configOf().args, "-serial", `file:${file}`] });
    const start = async (): Promise<StartReport> => {
      const since = new Date().toISOString();
      await openBooks(scene.books);
      await writeProcessRecord(scene.books, { process, how: "started", config: "web1.json", folder: null, since });
      await writeFile(file, "Booting\n");
      return { name: "web1", pid: process.pid, vcpus: 1, memory: 0, notes: [], elapsed: 0 };
    };
    return await startAndWait(scene.place, { console: "login:" }, { timeout }, start).catch(String);
  }

  test("and does not answer in time goes on, and what was seen is told", async () => {
    expect(await waited(await identifySelf(), 1000)).toMatch(
      /web1: it runs \(process \d+\), and its guest has not answered within 1000 ms: the last on its console \(.*console\) is "Booting"; it goes on/,
    );
  });

  test("and ends before that is no longer waited for", async () => {
    const { pid, started } = await identifySelf();
    expect(await waited({ pid, started: started - 1 }, 60_000)).toMatch("web1: it ended before its guest answered");
  });
});
