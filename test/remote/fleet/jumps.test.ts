import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { privateFolder } from "../../../scripts/lab/machine.ts";
import { hostsIn } from "../../../src/remote/fleet/hosts-in.ts";
import { jumpsOf } from "../../../src/remote/fleet/jumps.ts";

/** Asks a program, which notes its words in a file `asked`; `script` answers. */
async function jumps(
  list: string,
  script: string,
): Promise<{ readonly of: Readonly<Record<string, string | null>>; readonly asked: string }> {
  await using folder = await privateFolder("qmpctl-jumps-");
  const ssh = join(folder.path, "ssh");
  await writeFile(join(folder.path, "asked"), "");
  await writeFile(ssh, `#!/bin/sh\necho "$*" >> ${join(folder.path, "asked")}\nfor host; do :; done\n${script}\n`, { mode: 0o755 });
  const of = await jumpsOf(await hostsIn(list, { env: {} }), { ssh });
  return { of: Object.fromEntries(of), asked: await readFile(join(folder.path, "asked"), "utf8") };
}

const SETTINGS = `
echo "host $host"; echo "hostname $host"; echo "proxyusefdpass no"
case "$host" in
  a*) echo "proxyjump root@gate:22,inner" ;;
  b*) echo "proxycommand ssh -W %h:%p other" ;;
  c*) echo "proxyjump none" ;;
  d*) echo "proxycommand none" ;;
esac`;

test("each host is behind the first jump that ssh goes by", async () => {
  const { of, asked } = await jumps("a[1-2],b1,c1,d1,root@e1:2222,e[2-4]", SETTINGS);
  expect(of).toEqual({
    ...{ a1: "root@gate:22", a2: "root@gate:22", b1: "ssh -W %h:%p other" },
    ...{ c1: null, d1: null, "root@e1:2222": null, e2: null, e3: null, e4: null },
  });
  expect(asked.split("\n")).toContain("-G -T -l root -p 2222 -- e1");
});

test("few hosts are not asked about", async () => {
  expect(await jumps("a[1-8]", SETTINGS)).toEqual({
    of: Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`a${at + 1}`, null])),
    asked: "",
  });
});

test.each(["exit 255", "cat", 'echo \'{"qmpctl":"loader"}\''])(
  "a program that can't tell (%s) is asked once, and means none",
  async (script) => {
    const { of, asked } = await jumps("a[1-9]", script);
    expect(new Set(Object.values(of))).toEqual(new Set([null]));
    expect(asked.trim().split("\n")).toHaveLength(1);
  },
);

test("a host that can't be told of has none, the others have theirs", async () => {
  const { of } = await jumps("a[1-9]", `[ "$host" = a5 ] && exit 255\n${SETTINGS}`);
  expect([of["a4"], of["a5"], of["a6"]]).toEqual(["root@gate:22", null, "root@gate:22"]);
});

const missing = spawnSync("ssh", ["-V"]).status === 0 ? [] : ["ssh"];
if (missing.length > 0) console.log("no real ssh is asked for jump hosts: ssh missing; apt-get install openssh-client");

test.skipIf(missing.length > 0)("a real ssh tells them of its configuration", async () => {
  await using folder = await privateFolder("qmpctl-jumps-");
  const [ssh, config] = [join(folder.path, "ssh"), join(folder.path, "config")];
  const lines = ["Host inner*", "ProxyJump me@gate:2222,second", "Host odd", "ProxyCommand nc -X 5 %h %p", "Host none", "ProxyJump none"];
  await writeFile(config, `${lines.join("\n")}\n`);
  await writeFile(ssh, `#!/bin/sh\nexec ssh -F ${config} "$@"\n`, { mode: 0o755 });
  const of = await jumpsOf(await hostsIn("inner[1-3],root@inner4:22,odd,none,[::1],plain[1-9]", { env: {} }), { ssh });
  const behind = [...of].filter(([, jump]) => jump !== null);
  expect(Object.fromEntries(behind)).toEqual({
    ...Object.fromEntries(["inner1", "inner2", "inner3", "root@inner4:22"].map((name) => [name, "me@gate:2222"])),
    odd: "nc -X 5 %h %p",
  });
  expect(of.size).toBe(16);
});
