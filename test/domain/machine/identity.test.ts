import { describe, expect, test } from "vitest";
import { deadlineIn } from "../../../src/deadline.ts";
import { Identity, type Known, StrangerError } from "../../../src/domain/machine/identity.ts";
import { identify } from "../../../src/host/signal.ts";
import { CommandError } from "../../../src/qmp/errors.ts";
import type { Session } from "../../../src/qmp/session.ts";
import { ProtocolError } from "../../../src/wire/errors.ts";
import { runProgram } from "../../host/processes.ts";

const ID = "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b";
const OTHER = "ffffffff-2b3c-4f57-9d7c-0d4b5e6f7a8b";
/** Above the highest id that Linux gives: no thread has it. */
const NOBODY = 2 ** 22 + 1;

function identity(known: Partial<Known> = {}): Identity {
  return new Identity({
    domain: "web1",
    name: null,
    id: null,
    process: null,
    key: "k",
    control: "unix:/run/c.sock",
    watch: null,
    folder: null,
    obstacle: null,
    ours: true,
    ...known,
  });
}

/** What a QEMU says of itself; a function in its place is how it fails to. */
interface Word {
  readonly mark?: string;
  readonly name?: string;
  readonly uuid?: string;
  readonly threads?: readonly number[];
  readonly fails?: Error;
}

function saying({ mark, name, uuid = "0", threads = [], fails }: Word): Session {
  const answers: Readonly<Record<string, unknown>> = {
    "qom-list": [
      { name: "pc.ram", type: "child<memory>" },
      ...(mark === undefined ? [] : [{ name: `qmpctl-${mark}`, type: "child<authz-simple>" }]),
    ],
    "query-name": name === undefined ? {} : { name },
    "query-uuid": { UUID: uuid },
    "query-cpus-fast": threads.map((thread, index) => ({ "cpu-index": index, "thread-id": thread })),
  };
  return { execute: async (command: string) => (fails === undefined ? answers[command] : Promise.reject(fails)) } as unknown as Session;
}

/** Why it is another; null when it may be it. */
function checked(known: Partial<Known>, ...words: readonly Word[]): Promise<string | null> {
  const machine = identity(known);
  return words
    .reduce((before, word) => before.then(() => machine.check(saying(word))), Promise.resolve())
    .then(
      () => null,
      (error: unknown) => {
        if (error instanceof StrangerError) return error.message;
        throw error;
      },
    );
}

const AT = "web1: the QEMU that answers at unix:/run/c.sock";

describe("a QEMU that answers is the machine", () => {
  test.each<readonly [string, Partial<Known>, Word]>([
    ["by its mark, whatever it is called", { id: ID }, { mark: ID, name: "renamed" }],
    ["by the mark that it may have, where its process can't be seen", { mayBe: ID, name: "web1" }, { mark: ID, name: "other" }],
    ["by its name, where there is no more to know it by", { name: "web1" }, { name: "web1" }],
    ["that was asked for by its address, whoever that is", {}, { name: "anybody", mark: OTHER }],
  ])("%s", async (_how, known, word) => {
    expect(await checked(known, word)).toBeNull();
  });

  test("by its threads, where it has another name", async () => {
    const process = (await identify(globalThis.process.pid)) ?? null;
    expect(await checked({ name: "web1", process }, { name: "renamed", threads: [globalThis.process.pid] })).toBeNull();
    // The first one alone is not enough, nor a process that is gone by now.
    expect(await checked({ name: "web1", process }, { name: "renamed", threads: [globalThis.process.pid, NOBODY] })).toBe(
      `${AT} is "renamed"; to make it a domain of its own: qmpctl define --pid ${globalThis.process.pid} --name NAME`,
    );
    expect(await checked({ name: "web1", process }, { name: "renamed" })).not.toBeNull();
    const gone = await runProgram("sh", "-c", "echo up; exec cat");
    const was = (await identify(gone.pid)) ?? null;
    await gone.kill();
    expect(await checked({ name: "web1", process: was }, { name: "renamed", threads: [gone.pid] })).not.toBeNull();
  });
});

describe("a QEMU that answers is another", () => {
  test.each<readonly [string, Partial<Known>, Word, string]>([
    ["by its mark", { id: ID }, { mark: OTHER, name: "web1" }, `${AT} is not this machine, but "web1" (marked qmpctl-${OTHER})`],
    ["as it carries none", { id: ID }, { name: "web1" }, `${AT} is not this machine, but "web1"`],
    [
      "as it carries one, where none is known",
      { name: "web1" },
      { mark: OTHER, name: "web1" },
      `${AT} is "web1" (marked qmpctl-${OTHER}); address it by its own name`,
    ],
    [
      "as it carries one, where another may be",
      { name: "web1", mayBe: ID },
      { mark: OTHER, name: "web1" },
      `${AT} is "web1" (marked qmpctl-${OTHER}); address it by its own name`,
    ],
    [
      "by its name",
      { name: "web1" },
      { name: "web2" },
      `${AT} is "web2"; to make it a domain of its own: qmpctl define --pid PID --name NAME`,
    ],
    [
      "as it has no name",
      { name: "web1" },
      {},
      `${AT} is one without a name; to make it a domain of its own: qmpctl define --pid PID --name NAME`,
    ],
  ])("%s", async (_how, known, word, why) => {
    expect(await checked(known, word)).toBe(why);
  });

  test.each([
    ["refuses to say", new CommandError("x", { class: "CommandNotFound", desc: "no" })],
    ["says what QEMU does not", new ProtocolError("x", "a reply that is not as QEMU documents it", { excerpt: "{}" })],
  ])("where it %s who it is, and that has to be known", async (_what, fails) => {
    expect(await checked({ id: ID }, { fails })).toBe(`${AT} is not this machine, but one without a name`);
    expect(await checked({ name: "web1" }, { fails })).not.toBeNull();
    expect(await checked({}, { fails })).toBeNull();
  });

  test("is not known where it says nothing at all: that is told as it is", async () => {
    const closed = new Error("closed");
    await expect(identity({ id: ID }).check(saying({ fails: closed }))).rejects.toBe(closed);
  });

  test.each<readonly [string, Word]>([
    ["mark", { mark: OTHER }],
    ["name", { name: "web2" }],
    ["UUID", { uuid: "1" }],
    ["first vCPU's thread", { threads: [8, 9] }],
  ])("than the one before by its %s", async (_what, other) => {
    const first: Word = { mark: ID, name: "web1", uuid: "0", threads: [7, 9] };
    expect(await checked({}, first, first)).toBeNull();
    // vCPUs come and go; the first one stays.
    expect(await checked({}, first, { ...first, threads: [7] })).toBeNull();
    expect(await checked({}, first, { ...first, ...other })).toBe(
      "web1: another QEMU answers at unix:/run/c.sock than before: the one that we worked with is gone",
    );
  });
});

describe("the process of a machine", () => {
  test("gets a signal only where it is ours, and is known", async () => {
    const cat = await runProgram("sh", "-c", "echo up; exec cat");
    const process = (await identify(cat.pid)) ?? null;
    await expect(identity({ process, ours: false, obstacle: "it runs twice" }).signal("SIGKILL")).rejects.toThrow("web1: it runs twice");
    await expect(identity().signal("SIGKILL")).rejects.toThrow("web1: its process is not known on this host");
    expect(await identity({ process }).isThere()).toBe(true);
    // Another process has its id by now.
    const before = process === null ? null : { ...process, started: process.started - 1 };
    await identity({ process: before }).signal("SIGKILL");
    expect([await identity({ process: before }).isThere(), await identity({ process }).isThere()]).toEqual([false, true]);
    await identity({ process }).signal("SIGKILL");
    expect(await identity({ process }).hasEnded({ by: deadlineIn(5000) })).toBe(true);
  });

  test("that can't be seen is there as far as anybody knows, and ends at no time", async () => {
    expect([await identity().isThere(), await identity().hasEnded({ by: deadlineIn(0) })]).toEqual([true, true]);
  });
});
