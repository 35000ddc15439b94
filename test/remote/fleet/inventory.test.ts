import { spawnSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { privateFolder } from "../../../scripts/lab/machine.ts";
import { HostError, UsageError } from "../../../src/errors.ts";
import { hostsIn } from "../../../src/remote/fleet/hosts-in.ts";

/** What `ansible-inventory --list` says of an inventory: a group without anything in it is in its parent only. */
const LISTED = {
  _meta: {
    hostvars: {
      web1: { ansible_user: "root", ansible_become: true },
      web2: { ansible_host: "10.0.0.2", ansible_port: 2222, ansible_user: null },
      db1: { ansible_host: "fe80::1", ansible_port: "22", ansible_connection: "ansible.builtin.ssh" },
      db2: { ansible_ssh_host: "10.0.0.9", ansible_ssh_user: "kvm" },
      here: { ansible_connection: "local" },
      box: { ansible_connection: "docker" },
      odd: { ansible_port: "{{ base + 1 }}" },
      far: { ansible_ssh_common_args: "-o ProxyJump=gate" },
      bad: { ansible_host: "-oProxyCommand=reboot" },
      list: { ansible_host: ["a"] },
      "a b": {},
      twin: { ansible_host: "10.0.0.2", ansible_port: 2222 },
    },
  },
  all: { children: ["ungrouped", "site", "others", "empty"] },
  ungrouped: { hosts: ["plain"] },
  web: { hosts: ["web1", "web2"] },
  db: { hosts: ["db1", "db2"] },
  site: { children: ["web", "db"] },
  others: { hosts: ["here", "box", "odd", "far", "bad", "list", "a b", "twin"] },
};

describe("an inventory", () => {
  let folder: Awaited<ReturnType<typeof privateFolder>>;

  /** A program in the place of ansible-inventory, and an inventory that nobody reads. */
  async function withProgram(script: string): Promise<string> {
    const bin = join(folder.path, "bin");
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, "ansible-inventory"), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, "ansible-inventory"), 0o755);
    vi.stubEnv("PATH", `${bin}:/usr/bin:/bin`);
    const path = join(folder.path, "inv entory");
    await writeFile(path, "");
    return path;
  }

  beforeAll(async () => {
    folder = await privateFolder("qmpctl-inventory-");
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await folder[Symbol.asyncDispose]();
  });

  async function found(list: string): Promise<readonly string[]> {
    const inventory = await withProgram(`cat ${join(folder.path, "listed")}`);
    await writeFile(join(folder.path, "listed"), JSON.stringify(LISTED));
    const hosts = await hostsIn(list, { inventory, env: {} });
    return hosts.map(({ name, at: { user = "", host, port = "" } }) => `${name} ${user}@${host}:${port}`);
  }

  test.each([
    ["@web", ["web1 root@web1:", "web2 @10.0.0.2:2222"]],
    ["@site,!db2", ["web1 root@web1:", "web2 @10.0.0.2:2222", "db1 @fe80::1:22"]],
    ["db[1-2]", ["db1 @fe80::1:22", "db2 kvm@10.0.0.9:"]],
    ["other,web1", ["other @other:", "web1 root@web1:"]],
    ["root@web1", ["root@web1 root@web1:"]],
    ["web2,twin,10.0.0.2:2222", ["web2 @10.0.0.2:2222"]],
    // A second name of web2 is among the others.
    ["@all,!@others", ["plain @plain:", "web1 root@web1:", "db1 @fe80::1:22", "db2 kvm@10.0.0.9:"]],
    ["@site,!10.0.0.2,!web1,!@empty", ["db1 @fe80::1:22", "db2 kvm@10.0.0.9:"]],
  ] as const)("has %s: %j", async (list, hosts) => {
    expect(await found(list)).toEqual(hosts);
  });

  test.each([
    ["here", "here of ", "its ansible_connection is local, and this goes by ssh only; leave it out with !here"],
    ["box", "its ansible_connection is docker"],
    ["odd", "its ansible_port is a template, {{ base + 1 }}, which only a playbook works out"],
    ["far", "it has ansible_ssh_common_args; options of ssh are taken from ssh_config"],
    ["bad", "a host can't begin with -"],
    ["list", "its ansible_host is no text"],
    ["@others,!here,!box,!odd,!far,!bad,!list", '"a b" of ', "a host's name has letters, digits"],
    ["@all", "here of "],
    ["@empty", "@empty: that group has no hosts in "],
    ["@wbe", "@wbe: no such group, did you mean @web?"],
    ["web1,!web3", "!web3: no such host is in the list, did you mean !web1?"],
  ] as const)("refuses %s: %s %s", async (list, ...whys) => {
    const refusal = await found(list).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(UsageError);
    for (const why of whys) expect((refusal as UsageError).message).toContain(why);
  });

  test("is asked for by its path as it is, whatever stands in it, in a locale that Ansible takes, with no input", async () => {
    const inventory = await withProgram(
      `cat; printf '{"all": {"hosts": ["%s"]}}' "$(echo "$LC_ALL.$#" | tr . -)"; [ "$1" = "--inventory=$WANTED" ]`,
    );
    vi.stubEnv("WANTED", inventory);
    expect((await hostsIn("@all", { env: { QMPCTL_INVENTORY: inventory } })).map(({ name }) => name)).toEqual(["C-UTF-8-2"]);
  });

  test.each([
    ["echo 'ERROR! no vault secrets' >&2; exit 4", "ansible-inventory: ERROR! no vault secrets"],
    ["exit 4", "ansible-inventory: it ended with status 4"],
    ["echo words", "is no JSON"],
    ["echo '[]'", "has no groups"],
    ["head -c 70000000 /dev/zero", "it writes more than 67108864 bytes"],
  ])("whose program says %j is an error of the host", async (script, why) => {
    const failure = await hostsIn("@all", { inventory: await withProgram(script), env: {} }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HostError);
    expect((failure as HostError).message).toContain(why);
  });

  test("without the program says what to install, and without a file what there has to be", async () => {
    const inventory = await withProgram("");
    vi.stubEnv("PATH", "/nonexistent");
    await expect(hostsIn("@all", { inventory, env: {} })).rejects.toThrow(
      "ansible-inventory: there is no such program, it comes with ansible-core",
    );
    await expect(hostsIn("kvm1", { inventory: "/nonexistent/inv", env: {} })).rejects.toThrow(
      "--inventory /nonexistent/inv: no such file or directory",
    );
  });

  test("is not waited for when the caller gives up", async () => {
    const inventory = await withProgram("exec sleep 600");
    const reason = new Error("enough");
    const abort = new AbortController();
    const asked = hostsIn("@all", { inventory, env: {}, signal: abort.signal });
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await expect(hostsIn("kvm1", { env: {}, signal: abort.signal })).rejects.toBe(reason);
  });
});

const isInstalled = spawnSync("ansible-inventory", ["--version"]).status === 0;
if (!isInstalled) console.log("no inventory is read by Ansible itself: ansible-inventory missing; apt-get install ansible-core");

describe.skipIf(!isInstalled)("the real ansible-inventory", () => {
  test("reads a folder of its own formats, with what it says of groups, and refuses half an inventory", { timeout: 120_000 }, async () => {
    await using folder = await privateFolder("qmpctl-inventory-");
    const write = (name: string, text: string, mode = 0o644): Promise<void> => writeFile(join(folder.path, name), text, { mode });
    await write("a", "[web]\nweb[1:2] ansible_user=root\n[site:children]\nweb\ndb\n[db]\n[empty]\n[web:vars]\nansible_port=2222\n");
    await write(
      "b.yml",
      "db: {hosts: {db1: {ansible_host: 'fe80::1'}}, vars: {ansible_connection: ssh}}\noffice: {hosts: {here: {ansible_connection: local}}}\n",
    );
    await write("c", `#!/bin/sh\necho '{"cloud": {"hosts": ["vm9"]}, "_meta": {"hostvars": {}}}'\n`, 0o755);
    const options = { inventory: folder.path, env: {} };
    const hosts = await hostsIn("@all,other,!@office,!@empty", options);
    expect(new Set(hosts)).toEqual(
      new Set([
        { name: "web1", at: { host: "web1", user: "root", port: 2222 } },
        { name: "web2", at: { host: "web2", user: "root", port: 2222 } },
        { name: "db1", at: { host: "fe80::1" } },
        { name: "vm9", at: { host: "vm9" } },
        { name: "other", at: { host: "other" } },
      ]),
    );
    expect(await hostsIn("@all,!web1", { inventory: "web1,web2,", env: {} })).toEqual([{ name: "web2", at: { host: "web2" } }]);
    await write("d.yml", "a: [\n");
    await expect(hostsIn("@web", options)).rejects.toThrow(/^ansible-inventory: .*d\.yml/);
  });
});
