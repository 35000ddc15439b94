import { expect, test } from "vitest";
import { threadsOf } from "../../src/host/threads.ts";
import { vhostThreadsOf } from "../../src/host/vhost-threads.ts";
import { runModule } from "./processes.ts";

/** A process that gives one of its threads this name. The kernel lets a process name its own. */
const named = (name: string): string => `
  import { readdirSync, writeFileSync } from "node:fs";
  const tids = readdirSync("/proc/self/task").map(Number).sort((a, b) => a - b);
  writeFileSync(\`/proc/self/task/\${tids[2]}/comm\`, ${name});
  console.log("up");
  process.stdin.resume();`;

test("threads of the process that are called so serve its vhost devices", async () => {
  const node = await runModule(named("`vhost-${process.pid}`"));
  const [, , third] = await threadsOf(node.pid);
  expect(await vhostThreadsOf(node.pid)).toEqual([third]);
  expect(third?.name).toBe(`vhost-${node.pid}`);
});

test("a process has none, and another one that calls itself so is no thread of the kernel", async () => {
  const node = await runModule(named('"vhost-net"'));
  expect(await vhostThreadsOf(node.pid)).toEqual([]);
  const other = await runModule(`
    import { writeFileSync } from "node:fs";
    writeFileSync("/proc/self/comm", "vhost-${node.pid}");
    console.log("up");
    process.stdin.resume();`);
  expect((await threadsOf(other.pid))[0]?.name).toBe(`vhost-${node.pid}`);
  expect(await vhostThreadsOf(node.pid)).toEqual([]);
});
