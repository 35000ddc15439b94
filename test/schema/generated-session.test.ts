import { expect, test } from "vitest";
import { faultsIn } from "./type-check.ts";

const HEAD = [
  'import type { Session } from "../../src/qmp/session.ts";',
  'import type { SessionOf } from "../../src/qmp/session-of.ts";',
  'import type { QemuCommands } from "../../src/schema/generated/commands.ts";',
  'import type { QemuEvents } from "../../src/schema/generated/events.ts";',
  'import type { ArgumentsOf, CommandsOf, EventsOf, QemuRelease } from "../../src/schema/vocabulary.ts";',
  'export async function program(session: Session, own: SessionOf<Pick<QemuCommands, "quit" | "balloon" | "query-target">, Pick<QemuEvents, "STOP" | "JOB_STATUS_CHANGE">>): Promise<unknown> {',
];

const RIGHT = [
  'const jobs = await session.execute("query-jobs");',
  'const bytes: number | bigint | undefined = jobs[0]?.["current-progress"];',
  "const id: string | undefined = jobs[0]?.id;",
  'await session.execute("blockdev-add", { driver: "qcow2", file: { driver: "file", filename: "/a" }, "node-name": "n" }, { timeout: 1 });',
  'await session.execute("object-add", { "qom-type": "iothread", id: "io0" });',
  'await session.execute("query-block", undefined, { timeout: 1 });',
  'await session.execute("query-named-block-nodes", { flat: true });',
  'await session.execute("query-named-block-nodes");',
  'const { status } = await session.execute("query-status");',
  'const unknown: unknown = await session.execute("__com.example_own", { any: 1 });',
  'const later: string = jobs.length > 0 ? "query-jobs" : "query-block";',
  "const loose: unknown = await session.execute(later, { x: 1 });",
  'for await (const { data } of session.events("JOB_STATUS_CHANGE")) id === data.id && data.status satisfies string;',
  'const job = await session.waitFor(["JOB_STATUS_CHANGE"], { where: ({ data }) => data.status === "concluded" });',
  "for await (const { event, data } of session.events()) [event satisfies string, data satisfies unknown];",
  // A tag tells which members there are.
  'const node: ArgumentsOf<"blockdev-add"> = { driver: "file", filename: "/a" };',
  'const file: string = node.driver === "file" ? node.filename : "";',
  // Values that this package does not know yet can be given and be had.
  'await session.execute("block-stream", { device: "d", "on-error": "newer" });',
  // Except a tag's: what else there is goes by it. A name that is any string goes by nothing.
  'await session.execute("chardev-add" as string, { id: "c", backend: { type: "vdagent", data: { mouse: true } } });',
  // Alternates: a node by its name, by its options, or none.
  'await session.execute("blockdev-add", { driver: "qcow2", file: "node0", backing: null });',
  'await session.execute("blockdev-add", { driver: "quorum", "vote-threshold": 1, children: ["a", { driver: "null-co", size: 10n ** 18n }] });',
  'await session.execute("blockdev-add", { driver: "nbd", server: { type: "unix", path: "/x" }, export: "e" });',
  'await session.execute("object-add", { "qom-type": "memory-backend-ram", id: "m", size: 2 ** 30 });',
  'await session.execute("device_add", { driver: "virtio-blk-pci", drive: "d", "x-anything": true });',
  'await session.execute("migrate-set-parameters", { "tls-creds": "x", "tls-hostname": null, "downtime-limit": 5n, "multifd-compression": "newer" });',
  'await session.execute("chardev-add", { id: "c", backend: { type: "socket", data: { addr: { type: "inet", data: { host: "h", port: "1" } } } } });',
  'const pty: string | undefined = (await session.execute("chardev-add", { id: "c", backend: { type: "pty", data: {} } })).pty;',
  'const release: QemuRelease[] = ["7.2", "7.2_s390x", "11.1"];',
  'const old: CommandsOf<"5.2">["block_passwd"]["arguments"]["password"] = "x";',
  'const gic: CommandsOf<"7.2_aarch64">["query-gic-capabilities"]["returns"] = [];',
  'const event: EventsOf<"11.1">["STOP"] = undefined;',
  'const target: string = (await own.execute("query-target")).arch;',
  'for await (const { event, data } of own.events("JOB_STATUS_CHANGE")) [event satisfies "JOB_STATUS_CHANGE", data.id satisfies string];',
  "return [bytes, id, status, unknown, loose, job.data.id, file, release, old, gic, event, target, pty];",
];

const WRONG = [
  'await session.execute("blockdev-add");',
  'await session.execute("blockdev-add", { driver: "qcow2" });',
  'await session.execute("blockdev-add", { driver: "no-such", file: "a" });',
  'await session.execute("blockdev-add", { driver: "raw", file: "a", "lazy-refcounts": true });',
  'await session.execute("blockdev-add", { driver: "raw", file: null });',
  'await session.execute("blockdev-add", { driver: "nbd", server: { type: "unix" } });',
  'await session.execute("object-add", { "qom-type": "memory-backend-ram", id: "m", size: "1G" });',
  'await session.execute("device_add", {});',
  'await session.execute("migrate-set-parameters", { "downtime-limi": 5 });',
  'await session.execute("migrate-set-parameters", { "tls-creds": 1 });',
  'await session.execute("chardev-add", { id: "c", backend: { type: "null" } });',
  'await session.execute("chardev-add", { id: "c", backend: { type: "socket", data: { addr: { type: "inet", data: { host: "h" } } } } });',
  'await session.execute("query-jobs", { surplus: 1 });',
  'await session.execute("job-cancel", { id: 1 });',
  'await session.execute("balloon", { value: "1G" });',
  'const wrong: number = (await session.execute("query-jobs"))[0]?.id;',
  'for await (const { data } of session.events("JOB_STATUS_CHANGE")) data.nothing;',
  'const gone: CommandsOf<"7.2">["block_passwd"] = 1;',
  'const other: CommandsOf<"7.2_x86_64">["query-gic-capabilities"] = 1;',
  'const never: CommandsOf<"6.0"> = 1;',
  'await own.execute("query-jobs");',
  'await own.execute("balloon");',
  'own.events("RESUME");',
];

test("G1: a session is typed by what QEMUs say of themselves, and takes names that they don't know", { timeout: 60_000 }, async () => {
  expect(await faultsIn([...HEAD, ...RIGHT, "}"], { types: ["node"], lib: ["es2023", "esnext.disposable"] })).toEqual([]);
});

test("a session refuses by its types what no recorded QEMU takes", { timeout: 60_000 }, async () => {
  const lines = WRONG.flatMap((line) => ["// @ts-expect-error", line]);
  expect(await faultsIn([...HEAD, ...lines, "return undefined;", "}"], { types: ["node"], noUnusedLocals: false })).toEqual([]);
});
