import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { replaceFile } from "../../src/config/safe-file.ts";
import type { Report } from "../../src/domain/change/change-report.ts";
import type { ChangeOptions } from "../../src/domain/model/change.ts";
import { StateError } from "../../src/domain/model/errors.ts";
import type { DomainInfo } from "../../src/domain/views/inspect.ts";
import { UsageError } from "../../src/errors.ts";
import { Caller } from "../../src/remote/caller.ts";
import { ForbiddenError, LostError } from "../../src/remote/errors.ts";
import { Outcomes } from "../../src/remote/outcomes.ts";
import { remoteDomain, remoteFacade } from "../../src/remote/remote-host.ts";
import { connectEnds } from "./ends.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "qmpctl-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const KEY = "0123456789";
const report = { domain: "web1", outcome: "applied", changes: [] } as unknown as Report;
const change = { what: "change", domain: "web1", args: [[{ resource: "memory", size: 4096 }]], writes: true };

/** Something that is waited for. */
function moment(): { readonly reached: Promise<void>; reach(): void } {
  let reach = (): void => {};
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return { reached, reach };
}

test("a call has its answer, and many at once have each their own", async () => {
  const info = async ({ timeout }: { readonly timeout?: number }): Promise<DomainInfo> => ({ name: `after ${timeout}` }) as DomainInfo;
  await using ends = await connectEnds({ info }, folder);
  expect(ends.greeting).toMatchObject({ qmpctl: "serve", protocol: [1, 1], version: "1", allows: null });
  const calls = [1, 2, 3].map((timeout) => ends.link.call({ what: "info", domain: "web1", options: { timeout } }));
  expect(await Promise.all(calls)).toEqual([{ name: "after 1" }, { name: "after 2" }, { name: "after 3" }]);
});

test("progress comes while it is under way, and a large integer and any text arrive as they are", async () => {
  const words = "ünï \u2028\u007f \u{1f600} \\";
  const start = async (options: ChangeOptions): Promise<never> => {
    options.onProgress?.({ what: words, actual: 1, wanted: 2, elapsed: 3, timeout: 4 });
    return { size: 2n ** 60n + 1n, words } as never;
  };
  await using ends = await connectEnds({ start }, folder);
  const told: unknown[] = [];
  const answer = await ends.link.call({ what: "start", domain: "web1", options: { onProgress: (each: unknown) => told.push(each) } });
  expect(answer).toEqual({ size: 2n ** 60n + 1n, words });
  expect(told).toEqual([{ what: words, actual: 1, wanted: 2, elapsed: 3, timeout: 4 }]);
});

test("an error arrives as its class, with its evidence", async () => {
  const start = (): Promise<never> => Promise.reject(new StateError("web1: it runs", "running"));
  await using ends = await connectEnds({ start }, folder);
  const error = await ends.link.call({ what: "start", domain: "web1" }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StateError);
  expect(error).toMatchObject({ code: "refused", state: "running", message: "web1: it runs" });
});

test.each([
  [{ what: "format", domain: "web1" }, "format: there is no such call"],
  [{ what: "constructor", domain: "web1" }, "constructor: there is no such call"],
  [{ what: "info", domain: "web1", options: { timeout: "soon" } }, "info: timeout: expected number, received string"],
  [{ what: "change", domain: "web1", args: [3] }, "changes are missing, or are none"],
  [{ what: "recover", domain: "web1", args: ["maybe"] }, "recover maybe: no such way"],
  [{ what: "define", domain: null, args: [{ url: "x" }] }, "define: no source"],
])("a call that is none is refused: %j", async (ask, why) => {
  await using ends = await connectEnds({ info: async () => ({}) as DomainInfo }, folder);
  const error = await ends.link.call(ask).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).toContain(why);
});

test("an option that the far end does not know never reaches the machine", async () => {
  let given: object = {};
  const info = async (options: object): Promise<DomainInfo> => ((given = options), {} as DomainInfo);
  await using ends = await connectEnds({ info }, folder);
  await ends.link.call({ what: "info", domain: "web1", options: { timeout: 5, readers: ["x"], resolving: true } });
  expect(Object.keys(given).sort()).toEqual(["signal", "timeout"]);
});

test("what a key does not allow is refused before the domain is opened", async () => {
  let opened = 0;
  const host = { open: async () => Promise.reject(new Error(`opened ${++opened}`)) };
  await using ends = await connectEnds({}, folder, { host, allowed: { readOnly: true, verbs: null, domains: null } });
  for (const ask of [change, { what: "connect", domain: "web1" }, { what: "start", domain: "web1" }])
    await expect(ends.link.call(ask)).rejects.toBeInstanceOf(ForbiddenError);
  expect(opened).toBe(0);
});

test("a key for some domains sees none of the others in a list", async () => {
  const host = { list: async () => ["web1", "db1"].map((name) => ({ name }) as DomainInfo) };
  await using ends = await connectEnds({}, folder, { host, allowed: { readOnly: false, verbs: null, domains: ["web*"] } });
  expect(await ends.link.call({ what: "list", domain: null })).toEqual([{ name: "web1" }]);
});

test("a key for some domains defines none but those, by a name that it is told", async () => {
  const define = async (): Promise<never> => ({ domain: { name: "web1" }, notes: [] }) as never;
  const allowed = { readOnly: false, verbs: ["define"], domains: ["web*"] };
  await using ends = await connectEnds({}, folder, { host: { define }, allowed });
  const ask = { what: "define", domain: null, args: [{ argv: ["qemu-system-x86_64", "-name", "db1"] }], writes: true };
  await expect(ends.link.call({ ...ask, options: { name: "db1" } })).rejects.toThrow("db1: this key does not allow it");
  await expect(ends.link.call(ask)).rejects.toThrow("define: this key allows web*, so --name has to say which it is");
  expect(await ends.link.call({ ...ask, options: { name: "web1" } })).toMatchObject({ domain: { name: "web1" } });
});

describe("an interrupt", () => {
  test("reaches the far end, and what it then says counts", async () => {
    const begun = moment();
    const work = async (_: unknown, { signal }: ChangeOptions): Promise<never> => {
      begun.reach();
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      throw new StateError("web1: undone", "running");
    };
    await using ends = await connectEnds({ change: work }, folder);
    const interrupt = new AbortController();
    const call = ends.link.call({ ...change, options: { signal: interrupt.signal } });
    await begun.reached;
    interrupt.abort(new Error("mine"));
    await expect(call).rejects.toThrow("web1: undone");
  });

  test("that the far end passes on is the caller's own reason", async () => {
    const begun = moment();
    const info = async ({ signal }: { readonly signal?: AbortSignal | undefined }): Promise<never> => {
      begun.reach();
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));
    };
    await using ends = await connectEnds({ info }, folder);
    const interrupt = new AbortController();
    const call = ends.link.call({ what: "info", domain: "web1", options: { signal: interrupt.signal } });
    await begun.reached;
    const reason = new Error("mine");
    interrupt.abort(reason);
    await expect(call).rejects.toBe(reason);
  });
});

describe("a connection that is lost", () => {
  test("before a change began drops it: nothing was touched, and its key is free again", async () => {
    const waits = moment();
    let ran = 0;
    const work = async (_: unknown, { signal }: ChangeOptions): Promise<Report> => {
      if (++ran > 1) return report;
      waits.reach();
      return new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));
    };
    const first = await connectEnds({ change: work }, folder);
    const lost = first.link.call({ ...change, key: KEY });
    await waits.reached;
    first.cut();
    await expect(lost).rejects.toMatchObject({ name: "LostError", key: KEY });
    await first.served;
    await using second = await connectEnds({ change: work }, folder);
    expect(await second.link.call({ what: "outcome", domain: null, args: [KEY] })).toEqual({ state: "unknown" });
    expect(await second.link.call({ ...change, key: KEY })).toEqual(report);
  });

  test("after it began leaves it to its end, and the caller learns it on a new connection", async () => {
    const [begun, goOn] = [moment(), moment()];
    let interrupted = false;
    const work = async (_: unknown, { onBegun, onEnded, signal }: ChangeOptions): Promise<Report> => {
      signal?.addEventListener("abort", () => (interrupted = true));
      await onBegun?.();
      begun.reach();
      await goOn.reached;
      await onEnded?.(report);
      return report;
    };
    const first = await connectEnds({ change: work }, folder);
    const second = await connectEnds({}, folder);
    const links = [first.link, second.link];
    const caller = new Caller("kvm1", async () => links.shift() as typeof first.link);
    const call = caller.call(change);
    await begun.reached;
    first.cut();
    goOn.reach();
    expect(await call).toEqual(report);
    expect(interrupted).toBe(false);
    await first.served;
    await second[Symbol.asyncDispose]();
  });

  test("and can't be made again leaves the caller with the key", async () => {
    const begun = moment();
    const work = async (_: unknown, { onBegun }: ChangeOptions): Promise<Report> => {
      await onBegun?.();
      begun.reach();
      return report;
    };
    const first = await connectEnds(
      { change: async (...all: Parameters<typeof work>) => (await work(...all), new Promise<Report>(() => {})) },
      folder,
    );
    let connections = 0;
    const caller = new Caller("kvm1", async () => (connections++ === 0 ? first.link : Promise.reject(new Error("no route"))));
    const call = caller.call(change).catch((reason: unknown) => reason);
    await begun.reached;
    first.cut();
    const error = await call;
    expect(error).toBeInstanceOf(LostError);
    const { key, message } = error as LostError;
    expect(message).toContain(`qmpctl -H kvm1 outcome ${key}`);
    expect(readdirSync(join(folder, "outcomes"))).toContain(key);
  });

  test("is made again for what only reads", async () => {
    const begun = moment();
    const info = async (): Promise<DomainInfo> => (begun.reach(), new Promise<DomainInfo>(() => {}));
    const first = await connectEnds({ info }, folder);
    await using second = await connectEnds({ info: async () => ({ name: "web1" }) as DomainInfo }, folder);
    const links = [first.link, second.link];
    const caller = new Caller("kvm1", async () => links.shift() as typeof first.link);
    const call = remoteFacade(caller, "kvm1")
      .open("web1")
      .then((domain) => domain.info({}));
    await begun.reached;
    first.cut();
    expect(await call).toEqual({ name: "web1" });
  });
});

describe("a key", () => {
  test("does a thing once: a second call waits for the first, and has its answer", async () => {
    const [begun, goOn] = [moment(), moment()];
    let ran = 0;
    const work = async (_: unknown, { onBegun }: ChangeOptions): Promise<Report> => {
      ran++;
      await onBegun?.();
      begun.reach();
      await goOn.reached;
      return report;
    };
    await using first = await connectEnds({ change: work }, folder);
    await using second = await connectEnds({ change: work }, folder);
    const one = first.link.call({ ...change, key: KEY });
    await begun.reached;
    const other = second.link.call({ ...change, key: KEY });
    goOn.reach();
    expect(await Promise.all([one, other])).toEqual([report, report]);
    expect(await second.link.call({ ...change, key: KEY })).toEqual(report);
    expect(ran).toBe(1);
  });

  test("gives a failure again as it was", async () => {
    let ran = 0;
    const work = async (_: unknown, { onBegun }: ChangeOptions): Promise<Report> => {
      await onBegun?.();
      throw new StateError(`failed ${++ran}`, "running");
    };
    await using ends = await connectEnds({ change: work }, folder);
    for (let turn = 0; turn < 2; turn++)
      await expect(ends.link.call({ ...change, key: KEY })).rejects.toMatchObject({
        name: "StateError",
        message: "failed 1",
        state: "running",
      });
  });

  test("stands for one request alone, and can't be a path", async () => {
    await using ends = await connectEnds({ change: async () => report }, folder);
    await ends.link.call({ ...change, key: KEY });
    await expect(ends.link.call({ ...change, domain: "web2", key: KEY })).rejects.toThrow(`key ${KEY}: it stands for another request`);
    await expect(ends.link.call({ ...change, key: "../../x" })).rejects.toThrow("not a key");
  });

  test("of a call whose process died is interrupted if it had begun, and else can be used again", async () => {
    // As a process that is killed leaves it: with the lock free, and no end.
    await using ends = await connectEnds({ change: async () => report }, folder);
    await ends.link.call({ ...change, key: KEY });
    const path = join(folder, "outcomes", KEY);
    const { digest } = JSON.parse(readFileSync(path, "utf8")) as { readonly digest: string };
    await replaceFile(path, JSON.stringify({ digest, domain: "web1", state: "begun" }));
    expect(await new Outcomes(folder).look(KEY)).toEqual({ state: "interrupted", domain: "web1" });
    await expect(ends.link.call({ ...change, key: KEY })).rejects.toThrow("was interrupted");
    await replaceFile(path, JSON.stringify({ digest, domain: "web1", state: "waits" }));
    expect(await ends.link.call({ ...change, key: KEY })).toEqual(report);
  });
});

test("commands that the far end names are to be typed here, with the host in them", async () => {
  const persist = async (): Promise<Report> => ({
    ...report,
    finish: "qmpctl setmem web1 1GiB --dynamic && qmpctl setmem web12 1GiB",
    notes: ["see qmpctl diff web1"],
  });
  const start = (): Promise<never> => Promise.reject(new StateError("web1: resolve it first: qmpctl recover web1 --finish", "x"));
  await using ends = await connectEnds({ persist, start }, folder);
  const remote = remoteDomain(new Caller("kvm1", async () => ends.link), "kvm1", "web1");
  expect(await remote.persist({})).toMatchObject({
    finish: "qmpctl setmem ssh://kvm1/web1 1GiB --dynamic && qmpctl setmem web12 1GiB",
    notes: ["see qmpctl diff ssh://kvm1/web1"],
  });
  await expect(remote.start({})).rejects.toThrow("qmpctl recover ssh://kvm1/web1 --finish");
});
