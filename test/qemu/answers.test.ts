import { afterAll, beforeAll, expect, test } from "vitest";
import * as answers from "../../src/cli/schema/answers.ts";
import { report } from "../../src/cli/schema/report.ts";
import { allStats, stats } from "../../src/cli/schema/stats.ts";
import { faultOf, type JsonSchema } from "../../src/shape.ts";
import { invalid } from "../json-schema.ts";
import { type Host, openHost } from "./host.ts";

// What a real machine is answered with, against the schemas that are given to other programs.
let host: Host;
beforeAll(async () => {
  host = await openHost();
  await host.define("web1", {
    args: ["-drive", "if=none,id=disk0,format=raw,file.driver=null-co", "-device", "virtio-blk-pci,id=disk0,drive=disk0"],
  });
}, 60_000);
afterAll(() => host[Symbol.asyncDispose]());

const SHAPES = { ...answers, report, stats, allStats };

async function answerOf(name: keyof typeof SHAPES, words: readonly string[]): Promise<string | null> {
  const { stdout } = await host.cli([...words, "--json"]);
  const value = JSON.parse(stdout) as unknown;
  return faultOf(SHAPES[name], value)?.message ?? invalid(SHAPES[name].schema(), value);
}

test("every answer is as its schema says", { timeout: 120_000 }, async () => {
  const asked: readonly (readonly [keyof typeof SHAPES, ...string[]])[] = [
    ["info", "info", "web1"],
    ["started", "start", "web1"],
    ["info", "info", "web1"],
    ["domains", "list", "--all"],
    ["rows", "diff", "web1"],
    ["vcpus", "vcpuinfo", "web1"],
    ["threads", "threads", "web1"],
    ["disks", "domblklist", "web1"],
    ["memory", "memstat", "web1"],
    ["stats", "stats", "web1"],
    ["allStats", "metrics"],
    ["report", "setmem", "web1", "60M", "--dry-run"],
    ["report", "setvcpus", "web1", "2", "--both"],
    ["report", "blkdeviotune", "web1", "disk0", "--iops", "100", "--both"],
    ["report", "setvcpus", "web1", "9"],
    ["error", "info", "web2"],
    ["stopped", "destroy", "web1"],
    ["rows", "diff", "web1"],
    ["disks", "domblklist", "web1"],
  ];
  for (const [name, ...words] of asked) expect([words.join(" "), await answerOf(name, words)]).toEqual([words.join(" "), null]);
});

test("and so is what defined it", async () => {
  const schema = JSON.parse(await host.ok("schema", "config")) as JsonSchema;
  expect(invalid(schema, JSON.parse(await host.text("web1")))).toBeNull();
});
