import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DomainInfo } from "../../src/domain/views/inspect.ts";
import { LostError, UnreachableError } from "../../src/remote/errors.ts";
import { Link, type Start } from "../../src/remote/link.ts";
import { More } from "../../src/remote/more.ts";
import { Inbox } from "../../src/wire/inbox.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { connectEnds } from "./ends.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "qmpctl-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const change = { what: "change", domain: "web1", args: [[{ resource: "memory", size: 4096 }]], writes: true };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A near end whose far end says nothing by itself, and what it was sent. */
function nearEnd(start: Start): { readonly link: Link; readonly sent: string[]; readonly inbox: Inbox } {
  const [sent, inbox]: [string[], Inbox] = [[], new Inbox()];
  const far: Transport = {
    peer: "far",
    send: (text) => void sent.push(typeof text === "string" ? text : Buffer.from(text).toString()),
    close: () => (inbox.end(), Promise.resolve()),
    [Symbol.asyncIterator]: () => inbox,
  };
  return { link: new Link("kvm1", far, start), sent, inbox };
}

const words = (sent: readonly string[]): readonly string[] =>
  sent.map((text) => {
    const { what, more, cancel } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return String(what ?? (more === undefined ? `cancel ${String(cancel)}` : "more"));
  });

/** A promise, and what settles it. */
function later<T>(): { readonly promise: Promise<T>; resolve(value: T): void; reject(error: Error): void } {
  let [resolve, reject] = [(_: T): void => {}, (_: Error): void => {}];
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

describe("while the program is on its way", () => {
  const more = (): Uint8Array => Buffer.from('{"more":"…"}\n');

  test("what reads is asked for at once, and what writes when the program has said who it is", async () => {
    const greeted = later<object>();
    const near = nearEnd({ greeted: greeted.promise, more });
    const calls = [near.link.call(change), near.link.call({ what: "info", domain: "web1" })].map((call) => call.catch(() => undefined));
    await turn();
    expect(words(near.sent)).toEqual(["more", "info"]);
    greeted.resolve({});
    await turn();
    expect(words(near.sent)).toEqual(["more", "info", "change"]);
    near.inbox.end();
    await Promise.all(calls);
  });

  test("the rest of the program is sent once, before the first call that needs it or when it is asked for", async () => {
    const near = nearEnd({ more });
    const calls = ["info", "list", "disks", "diff"].map((what) => near.link.call({ what, domain: "web1" }).catch(() => undefined));
    near.inbox.push([{ need: "more" }]);
    await turn();
    expect(words(near.sent)).toEqual(["info", "list", "more", "disks", "diff"]);
    const asked = nearEnd({ more });
    asked.inbox.push([{ need: "more" }]);
    await turn();
    expect(words(asked.sent)).toEqual(["more"]);
    await Promise.all([near.link.close(), asked.link.close(), ...calls]);
  });

  test("a program that never says who it is was asked for nothing: not lost, but the reason", async () => {
    const greeted = later<object>();
    const near = nearEnd({ greeted: greeted.promise, more });
    const calls = [change, { what: "info", domain: "web1" }].map((ask) => near.link.call(ask).catch((error: unknown) => error));
    const why = new UnreachableError("kvm1", "version", "it speaks other words");
    greeted.reject(why);
    near.inbox.end(why);
    expect(await Promise.all(calls)).toEqual([why, why]);
    expect(words(near.sent)).not.toContain("change");
    await expect(near.link.call({ what: "info", domain: "web1" })).rejects.toBe(why);
  });

  test("an interrupt takes back what was not sent", async () => {
    const [greeted, interrupt] = [later<object>(), new AbortController()];
    const near = nearEnd({ greeted: greeted.promise });
    const call = near.link.call({ ...change, options: { signal: interrupt.signal } });
    interrupt.abort(new Error("mine"));
    await expect(call).rejects.toThrow("mine");
    greeted.resolve({});
    await turn();
    expect(near.sent).toEqual([]);
    await near.link.close();
  });
});

describe("a far end whose program is not whole", () => {
  const info = async (): Promise<DomainInfo> => ({ name: "web1" }) as DomainInfo;

  test("reads with what is there, and writes when the rest is", async () => {
    const [ran, asked]: [string[], string[]] = [[], []];
    const more = new More((program) => void ran.push(program));
    await using ends = await connectEnds({ info, change: async () => (ran.push("changed"), {}) as never }, folder, { more });
    more.askBy(() => void asked.push("more"));
    expect(await ends.link.call({ what: "info", domain: "web1" })).toEqual({ name: "web1" });
    expect(asked).toEqual([]);
    const call = ends.link.call(change);
    expect(await ends.link.call({ what: "info", domain: "web1" })).toEqual({ name: "web1" });
    expect([ran, asked]).toEqual([[], ["more"]]);
    more.take("the rest");
    more.take("the rest, once more");
    await call;
    expect(ran).toEqual(["the rest", "changed"]);
  });

  test("a near end that is gone before it came: nothing is begun, and nobody waits", async () => {
    let changed = 0;
    const more = new More(() => {});
    const ends = await connectEnds({ change: async () => (changed++, {}) as never }, folder, { more });
    const asked = later<undefined>();
    more.askBy(() => asked.resolve(undefined));
    const call = ends.link.call(change);
    const lost = expect(call).rejects.toBeInstanceOf(LostError);
    await asked.promise;
    ends.cut();
    await ends.served;
    await lost;
    expect(changed).toBe(0);
  });
});
