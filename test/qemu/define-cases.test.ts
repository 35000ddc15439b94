import { once } from "node:events";
import { readFile, watch, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { installed } from "../../scripts/lab/machine.ts";
import { type Host, openHost } from "./host.ts";

// The cases of group C of SCOPES.md, with siblings, on the built command line and a real QEMU: what was defined has to start, and be what
// it was. See corpus.test.ts for many more, without the command line.

const qemu = await installed();
const BOARD: readonly string[] = ["-machine", "q35,accel=tcg", "-nodefaults", "-display", "none"];

async function defined(host: Host, name: string, words: readonly string[], board: readonly string[] = BOARD): Promise<string> {
  return host.ok("define", "--name", name, "--", qemu.binary, ...board, ...words);
}

/** What a file has as soon as it has what is waited for. */
async function textWith(path: string, wanted: RegExp): Promise<string> {
  const enough = new AbortController();
  const changes = watch(path, { signal: enough.signal })[Symbol.asyncIterator]();
  try {
    for (;;) {
      // Asked for before the look, so that none is missed between the two.
      const change = changes.next();
      change.catch(() => undefined);
      const text = await readFile(path, "utf8");
      if (wanted.test(text)) return text;
      await change;
    }
  } finally {
    enough.abort();
  }
}

describe("C1: a console on stdio", () => {
  test("can be read and typed on, stays the first port, and keeps its monitor", async () => {
    await using host = await openHost();
    const told = await defined(host, "web", ["-m", "64", "-serial", "mon:stdio", "-serial", `file:${host.path("second")}`]);
    expect(told).toContain("note: -serial mon:stdio: what it writes goes to the file console");
    await host.ok("start", "web");
    const folder = host.path("run", "web");
    const devices = JSON.parse(await host.ok("qmp", "web", "query-chardev")) as readonly {
      readonly label: string;
      readonly filename: string;
    }[];
    expect(
      devices
        .filter(({ label }) => label.startsWith("serial"))
        .map(({ label, filename }) => `${label}: ${filename}`)
        .toSorted(),
    ).toEqual(["serial0-base: stdio", "serial0: mux", "serial1: file"]);
    await writeFile(`${folder}/console.in`, "\u0001cinfo version\n");
    await textWith(`${folder}/console`, new RegExp(`\\n${qemu.version.replaceAll(".", "\\.")}`));
    await host.ok("destroy", "web");
    expect(await readFile(`${folder}/console`, "utf8")).toContain("info version");
    // The next start has a new one.
    await host.ok("start", "web");
    expect(await readFile(`${folder}/console`, "utf8")).toBe("");
  });

  test("C6: of -nographic has what the firmware says, and the words of QEMU stay apart from it", async () => {
    await using host = await openHost();
    await defined(host, "web", ["-m", "64", "-nographic", "-nic", "none"], ["-machine", "pc,accel=tcg"]);
    await host.ok("start", "web");
    await textWith(host.path("run", "web", "console"), /SeaBIOS/);
    expect(await readFile(host.path("run", "web", "output"), "utf8")).toBe("");
    expect(JSON.parse(await host.ok("qmp", "web", "qom-get", "path=/machine", "property=graphics"))).toBe(false);
  });

  test("leaves the reason of a failed start alone, and nothing behind", async () => {
    await using host = await openHost();
    await defined(host, "web", ["-m", "64", "-monitor", "stdio", "-device", "no-such-device"]);
    expect(await host.cli(["start", "web"])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /could not start the machine: .*-device no-such-device: 'no-such-device' is not a valid device model name$/m,
      ) as string,
    });
    expect(host.pids()).toEqual([]);
  });

  test("can be a debugger's", async () => {
    await using host = await openHost();
    await defined(host, "web", ["-m", "64", "-gdb", "stdio"]);
    await host.ok("start", "web");
    const [input, output] = ["console.in", "console"].map((name) => host.path("run", "web", name)) as [string, string];
    expect(await host.info("web")).toMatchObject({ state: "running" });
    // Whatever is said stops the machine first, and that is told: it has to be acknowledged.
    await writeFile(input, "\u0003");
    await textWith(output, /^\$T02/);
    await writeFile(input, "+$qSupported#37");
    await textWith(output, /\+\$PacketSize=/);
  });
});

describe("C3: what args bring to the start", () => {
  test("DIMMs come on top of memory.max, and vCPUs of args are among vcpus.current", async () => {
    await using host = await openHost();
    const dimm = ["-object", "memory-backend-ram,id=d0,size=128M", "-device", "pc-dimm,id=dimm0,memdev=d0"];
    await defined(host, "web", [
      "-m",
      "64,slots=2,maxmem=1G",
      ...dimm,
      "-smp",
      "1,maxcpus=4,cores=4",
      "-device",
      "qemu64-x86_64-cpu,id=c3,socket-id=0,core-id=3,thread-id=0",
    ]);
    await host.ok("start", "web");
    expect(await host.info("web")).toMatchObject({
      state: "running",
      config: { vcpus: 2, maxMemory: 192 * 2 ** 20 },
      live: { vcpus: 2, maxVcpus: 4, maxMemory: 192 * 2 ** 20 },
    });
    expect(JSON.parse(await host.ok("qmp", "web", "query-memory-size-summary"))).toMatchObject({
      "base-memory": 64 * 2 ** 20,
      "plugged-memory": 128 * 2 ** 20,
    });
    expect(await host.cli(["setvcpus", "web", "3", "--static"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("args plug vCPUs themselves, in places of their own: -device qemu64-x86_64-cpu,id=c3") as string,
    });
  });

  test("what it waits for is refused, of a machine that runs it is over", async () => {
    await using host = await openHost();
    const words = [...BOARD, "-m", "64", "-name", "web", "-incoming", "defer"];
    expect(await host.cli(["define", "--", qemu.binary, ...words])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("-incoming defer: QEMU waits for the state of another machine") as string,
    });
    expect(await host.ok("list", "--all")).not.toContain("web");
    const server = createServer().listen(host.path("own.sock"));
    const child = host.spawn([qemu.binary, ...words, "-qmp", `unix:${host.path("own.sock")}`]);
    const [socket] = (await once(server, "connection")) as [Socket];
    server.close();
    await once(socket, "data");
    expect(await host.ok("define", "--pid", String(child.pid))).toContain("note: -incoming defer: dropped");
    child.kill("SIGKILL");
    await once(child, "close");
    await host.ok("start", "web");
    expect(await host.info("web")).toMatchObject({ state: "running" });
  });

  test("a file of -readconfig may have all but what the config has, also when it is edited later", async () => {
    await using host = await openHost();
    const file = host.path("own.cfg");
    await writeFile(file, '[memory]\n  size = "64M"\n');
    expect(await host.cli(["define", "--name", "web", "--", qemu.binary, ...BOARD, "-readconfig", file])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${file}: its section [memory] is the key "memory", as -m`) as string,
    });
    await writeFile(file, '[device "rng0"]\n  driver = "virtio-rng-pci"\n');
    await defined(host, "web", ["-m", "64", "-readconfig", file]);
    await host.ok("start", "web");
    expect(await host.ok("qmp", "web", "qom-list", "path=/machine/peripheral")).toContain("rng0");
    await writeFile(file, '[smp-opts]\n  cpus = "2"\n');
    expect(await host.cli(["restart", "web"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('its section [smp-opts] is the key "vcpus"') as string,
    });
    expect(await host.info("web")).toMatchObject({ state: "running" });
  });
});

describe("C5: a size that args fix too", () => {
  test("goes with its key where it is plain which, and the next start has it", async () => {
    await using host = await openHost();
    const backend = ["-object", "memory-backend-ram,id=m0,size=64M"];
    await defined(host, "one", ["-m", "64", "-smp", "1,maxcpus=2", ...backend, "-numa", "node,memdev=m0,cpus=0-1"]);
    await host.ok("setmaxmem", "one", "96M", "--static");
    await host.ok("setvcpus", "one", "4", "--maximum", "--static");
    await host.ok("start", "one");
    expect(await host.info("one")).toMatchObject({ live: { memory: 96 * 2 ** 20, maxVcpus: 4 } });
    expect(JSON.parse(await host.ok("qmp", "one", "query-hotpluggable-cpus"))).toSatisfy(
      (slots: readonly { readonly props: { readonly "node-id"?: number } }[]) => slots.every(({ props }) => props["node-id"] === 0),
    );
  });

  test("is refused where it is spread over several, naming them", async () => {
    await using host = await openHost();
    const backends = ["m0", "m1"].flatMap((id) => ["-object", `memory-backend-ram,id=${id},size=64M`]);
    await defined(host, "two", [
      "-m",
      "128",
      "-smp",
      "1,maxcpus=2",
      ...backends,
      "-numa",
      "node,memdev=m0,cpus=0",
      "-numa",
      "node,memdev=m1,cpus=1",
    ]);
    const before = await host.text("two");
    expect(await host.cli(["setmaxmem", "two", "256M", "--static"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("args spread it over several: -numa node,memdev=m0,cpus=0, -numa node,memdev=m1,cpus=1") as string,
    });
    expect(await host.cli(["setvcpus", "two", "4", "--maximum", "--static"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("args say which node each of them is in") as string,
    });
    expect(await host.text("two")).toBe(before);
  });
});
