import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { privateFolder } from "../../../scripts/lab/machine.ts";
import { UsageError } from "../../../src/errors.ts";
import { hostsIn } from "../../../src/remote/fleet/hosts-in.ts";
import { isHostList } from "../../../src/remote/fleet/is-host-list.ts";

/** What a list means without any group. */
async function namesIn(text: string): Promise<readonly string[]> {
  return (await hostsIn(text, { configDir: "/nonexistent", env: {} })).map(({ name }) => name);
}

test.each([
  ["kvm1", false],
  ["root@kvm1:2222", false],
  ["[::1]", false],
  ["root@[fe80::1%eth0]:22", false],
  ["", false],
  ["kvm1,kvm2", true],
  ["kvm[1-3]", true],
  ["kvm[01:20]", true],
  ["[1-3]kvm", true],
  ["kvm[1", true],
  ["[::1]:[22-23]", true],
  ["[fe80::1],[fe80::2]", true],
  ["@edge", true],
  ["!kvm1", true],
] as const)("%j is a list: %s", (text, is) => {
  expect(isHostList(text)).toBe(is);
});

test.each([
  ["kvm1,kvm2", ["kvm1", "kvm2"]],
  ["kvm[08-11]", ["kvm08", "kvm09", "kvm10", "kvm11"]],
  ["kvm[1-3,7,09-11]", ["kvm1", "kvm2", "kvm3", "kvm7", "kvm09", "kvm10", "kvm11"]],
  ["kvm[01-3]", ["kvm01", "kvm02", "kvm03"]],
  ["rack[1-2]kvm[8-9].example.org", ["rack1kvm8.example.org", "rack1kvm9.example.org", "rack2kvm8.example.org", "rack2kvm9.example.org"]],
  ["root@kvm[1-2]:2222", ["root@kvm1:2222", "root@kvm2:2222"]],
  ["10.0.0.[9-10]", ["10.0.0.9", "10.0.0.10"]],
  ["[::1],[fe80::1%eth0]:22", ["[::1]", "[fe80::1%eth0]:22"]],
  ["[::1]:[22-23]", ["[::1]:22", "[::1]:23"]],
  ["kvm2,kvm1,kvm[1-3],KVM2", ["kvm2", "kvm1", "kvm3"]],
  ["kvm[1-3],!kvm2", ["kvm1", "kvm3"]],
  ["!kvm2,kvm[1-3]", ["kvm1", "kvm3"]],
  ["root@kvm1,kvm1:22,kvm2,!kvm1", ["kvm2"]],
  ["root@kvm1,kvm1,!root@kvm1", ["kvm1"]],
  ["gate:2201,gate:2202,!gate:2201", ["gate:2202"]],
  ["kvm[1-9],!kvm[2-8]", ["kvm1", "kvm9"]],
  ["kvm1", ["kvm1"]],
] as const)("%s means %j", async (text, names) => {
  expect(await namesIn(text)).toEqual(names);
});

test("as many hosts as one list may mean are there at once", async () => {
  expect(await namesIn("kvm[00001-10000]")).toHaveLength(10_000);
  expect(await namesIn("kvm[1-9999],!kvm[1-9998]")).toEqual(["kvm9999"]);
});

const REFUSED: readonly (readonly [text: string, why: string])[] = [
  ["", "the hosts are missing"],
  ["kvm1,,kvm2", "an empty item"],
  ["kvm1,", "an empty item"],
  [",", "an empty item"],
  ["kvm1, kvm2", "a blank in a host list"],
  [" kvm1", "a blank in a host list"],
  ["kvm1\nkvm2", '"\\n" in a host list'],
  ["kvm1\u0000", "in a host list"],
  ["kvm[01:20]", "[01:20] is how Ansible writes a range; here it is [01-20]"],
  ["kvm[1:9:2]", "here it is [1-9], and each number by itself"],
  ["kvm[3-1]", "[3-1]: it runs backwards; [1-3] is right"],
  ["kvm[1-020]", "[001-020] has 3 in each"],
  ["kvm[a-c]", "a-c is no number and no range"],
  ["kvm[-3]", "-3 is no number"],
  ["kvm[1--3]", "1--3 is no number"],
  ["kvm[]", "an empty item is no number"],
  ["kvm[1,,3]", "an empty item is no number"],
  ["kvm[1-3", "a [ without a ] behind it"],
  ["kvm1-3]", "a ] without a [ before it"],
  ["kvm[[1]]", "a [ within [ ]"],
  ["kvm[1-1000000000]", "1000000000 hosts, and 10000 are the most"],
  ["kvm[1-10001]", "10001 hosts, and 10000 are the most"],
  ["k[1-999][1-999]", "998001 hosts, and 10000 are the most"],
  [`k${"[1-999999999]".repeat(40)}`, "more hosts than can be counted, and 10000 are the most"],
  ["kvm[1-9999999999999999]", "a number of more than 15 digits"],
  ["kvm[1-9999],host[1-2]", "host[1-2]: with it there are more than 10000 hosts"],
  [Array.from({ length: 21 }, () => "kvm[1-9999]").join(","), "more than 200000 names to go through"],
  ["-oProxyCommand=reboot,kvm1", "a host can't begin with -"],
  ["-o[1-2]", "a host can't begin with -"],
  ["kvm1,root@-x", "a host can't begin with -"],
  ["kvm1,'kvm2'", `"'kvm2'" can't be a host`],
  ["kvm1,$(reboot)", "can't be a host"],
  ["kvm1;reboot,kvm2", "can't be a host"],
  ["kvm1:[65535-65536]", '"65536" is no port'],
  ["kvm1:[0-3]", '"0" is no port'],
  ["root@@edge,kvm1", "can't be a host"],
  ["@", '"@" names no group'],
  ["!", '"!" names no host'],
  ["!!kvm1", "one ! is enough"],
  ["@@edge", "one @ is enough"],
  ["@edge:22", "a group has no user and no port"],
  ["@edge", "there are no groups; write [edge] and below it its hosts into /nonexistent/hosts, or give --inventory PATH"],
  ["kvm[01-20],!kvm3", "!kvm3: no such host is in the list, did you mean !kvm03?"],
  ["!kvm1", "!kvm1: no such host is in the list"],
  ["kvm[1-2],!kvm[1-2]", "no host is left"],
];

test.each(REFUSED)("%j is refused: %s", async (text, why) => {
  const refusal = await namesIn(text).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(UsageError);
  expect((refusal as UsageError).message).toContain(why);
});

describe("the hosts file", () => {
  const FILE = `
lonely
[edge]   # at the rim
kvm[01-03], root@kvm07:2222  kvm9
[::1]

[old]
kvm02,gate:2201
[core]
@edge
gate:2202
!kvm9,!@old
[rack1]
a
[rack2]
b
[none]
[out]
!@edge
`;

  async function found(list: string, file: string): Promise<readonly string[]> {
    await using folder = await privateFolder("qmpctl-hosts-file-");
    await writeFile(join(folder.path, "hosts"), file);
    return (await hostsIn(list, { env: { QMPCTL_CONFIG_DIR: folder.path } })).map(({ name }) => name);
  }

  test.each([
    ["@edge", ["kvm01", "kvm02", "kvm03", "root@kvm07:2222", "kvm9", "[::1]"]],
    ["@edge,!@old", ["kvm01", "kvm03", "root@kvm07:2222", "kvm9", "[::1]"]],
    ["@core", ["kvm01", "kvm03", "root@kvm07:2222", "[::1]", "gate:2202"]],
    ["@rack[1-2]", ["a", "b"]],
    ["kvm9,other,@rack1,!kvm9", ["other", "a"]],
    ["root@kvm02,!@old,a", ["a"]],
    ["@all,!@edge,!@old", ["lonely", "gate:2202", "a", "b"]],
    ["@rack1,!@none", ["a"]],
  ] as const)("%s means %j", async (list, names) => {
    expect(await found(list, FILE)).toEqual(names);
  });

  test.each([
    ["@egde", "@egde: no such group", ""],
    ["@egde", "did you mean @edge?", FILE],
    ["@x", "/hosts has @edge, @old, @core, @rack1, @rack2, @none, @out, @all", FILE],
    ["@none", "@none: that group has no hosts in ", FILE],
    ["@out", "@out: that group has no hosts in ", FILE],
    ["@all", "@all: that group has no hosts in ", ""],
    ["@a", "/hosts: line 6: @a: a circle of groups, @a > @b > @c > @a", "[a]\n@b\n[b]\n@c\n[c]\nx,@a\n"],
    ["@a", "/hosts: line 2: @a: a circle of groups, @a > @a", "[a]\n@a"],
    ["@a", "/hosts: line 4: @bb: no such group, did you mean @bc?", "[a]\n\nx\n@bb\n[bc]\n"],
    ["@a", "/hosts: line 3: !kvm2: no such host is in the list", "[a]\nkvm1\n!kvm2\n"],
    ["@a", "/hosts: line 3: kvm[3-1]: [3-1]: it runs backwards", "[a]\n[b]\nkvm[3-1]\n"],
    ["@a", "/hosts: line 2: kvm1,: an empty item", "[a]\nkvm1,\n"],
    ["@a", "/hosts: line 3: -x: a host can't begin with -", "[a]\r\nkvm1\r\n-x\r\n"],
    ["@a", "/hosts: line 2: ansible_host=10.0.0.5: variables belong into an inventory", "[a]\nweb1 ansible_host=10.0.0.5\n"],
    ["@a", "/hosts: line 1: [a:children]: write [a], and below it @GROUP", "[a:children]\nb\n"],
    ["@a", "/hosts: line 1: [a:vars]: variables belong into an inventory", "[a:vars]\n"],
    ["@a", "/hosts: line 1: [all]: @all is every host of this file already", "[all]\n"],
    ["@a", `/hosts: line 1: "[a b]": a group's name has letters`, "[a b]\n"],
    ["@a", "a group's name has letters", "[]\n"],
    ["@g0", "@g100: groups in groups, more than 100 deep", Array.from({ length: 200 }, (_, at) => `[g${at}]\n@g${at + 1}\n`).join("")],
  ] as const)("%s is refused: %s", async (list, why, file) => {
    await expect(found(list, file)).rejects.toThrow(why);
  });

  test("is left alone where no group is named, and is none where others could write it", async () => {
    await using folder = await privateFolder("qmpctl-hosts-file-");
    const path = join(folder.path, "hosts");
    await writeFile(path, "[", { mode: 0o600 });
    const options = { configDir: folder.path, env: {} };
    expect(await hostsIn("kvm1,kvm2", options)).toHaveLength(2);
    await expect(hostsIn("@a", options)).rejects.toThrow("hosts: line 1: [: a [ without a ] behind it");
    await chmod(path, 0o666);
    await expect(hostsIn("@a", options)).rejects.toThrow("everybody can write it");
    await rm(path);
    await mkdir(path);
    await expect(hostsIn("@a", options)).rejects.toThrow("a folder, not a file");
  });
});
