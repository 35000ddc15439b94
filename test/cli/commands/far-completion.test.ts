import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostsFor } from "../../../src/cli/host-completion.ts";
import type { There } from "../../../src/cli/verb.ts";
import { ownUser } from "../../../src/config/own-user.ts";
import type { Domain, Facade } from "../../../src/domain/facade.ts";
import { sshHosts } from "../../../src/remote/fleet/ssh-hosts.ts";
import { configText } from "../../config/fixtures.ts";
import { program } from "../program.ts";
import { bashInTerminal, lineIn } from "../pty.ts";
import { play } from "../scene.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "qmpctl-"));
  await chmod(folder, 0o700);
  await writeFile(join(folder, "here.json"), configText({ name: "here" }), { mode: 0o600 });
  await writeFile(join(folder, "hosts"), "[edge]\nkvm[01-03]\nroot@kvm7:22\n[old]\nkvm02\n", { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));

const never = new Promise<never>(() => {});

/** A host with two domains. Their names are not all that it says. */
function hostOf(name: string): Facade {
  const domain = { config: async () => configText({ name: "web1", vcpus: { max: 3, current: 1 } }), [Symbol.asyncDispose]: async () => {} };
  return {
    list: async () => [{ name: "web1" }, { name: `on-${name.replace(/\W/g, "-")}` }, { name: "a\nb" }],
    open: async (which: string) => (which === "web1" ? (domain as unknown as Domain) : Promise.reject(new Error("there is none"))),
  } as unknown as Facade;
}

let asked: (readonly [string, There])[] = [];

/** What can follow, where hosts are asked. */
async function next(line: string, env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  asked = [];
  const { code, stdout, stderr } = await play(["__complete", ...line.split(" ")], {
    env: { QMPCTL_CONFIG_DIR: folder, QMPCTL_COMPLETION_TIMEOUT: "60s", ...env },
    host: async (name, how) => {
      asked.push([name, how]);
      if (name === "down") throw new Error("nobody is there");
      return name === "silent" ? never : hostOf(name);
    },
  });
  expect([code, stderr]).toEqual([0, ""]);
  return stdout.split("\n").slice(0, -1);
}

describe("a line about another host goes on with", () => {
  test.each<[string, readonly string[]]>([
    ["-H kvm1 info ", ["on-kvm1", "web1"]],
    ["-H ssh://kvm1/ info ", ["on-kvm1", "web1"]],
    ["-Hroot@kvm1:22 info o", ["on-root-kvm1-22"]],
    ["--host=kvm1 --installed info we", ["web1"]],
    ["-H kvm1 info ./", []],
    ["-H kvm1 setvcpus web1 ", ["1", "2", "3"]],
    ["-H kvm1 vcpupin web1 0 ", ["all"]],
    ["-H kvm1 setvcpus nope ", []],
    ["-H kvm[1-2] info on", ["on-kvm1", "on-kvm2"]],
    ["-H @edge info on", ["on-kvm01", "on-kvm02", "on-kvm03"]],
    ["-H down,kvm1 info ", ["on-kvm1", "web1"]],
    ["-H down info ", []],
    ["-H @nope info ", []],
    ["-H -oProxyCommand=x[1-2] info ", []],
    ["-H kvm1 setm", ["setmem", "setmaxmem"]],
    ["-H kvm1 apply web1 ", [":files"]],
    ["info ss", ["ssh://"]],
    ["info h", ["here"]],
    ["info ssh://kvm0", ["ssh://kvm01/", "ssh://kvm02/", "ssh://kvm03/"]],
    ["info ssh://kvm1/", ["ssh://kvm1/on-kvm1", "ssh://kvm1/web1"]],
    ["info ssh://root@kvm1:22/w", ["ssh://root@kvm1:22/web1"]],
    ["info ssh://down/", []],
    ["info ssh://", ["ssh://kvm01/", "ssh://kvm02/", "ssh://kvm03/", "ssh://root@kvm7:22/"]],
    ["setvcpus ssh://kvm1/web1 ", ["1", "2", "3"]],
    ["setvcpus ssh://kvm1 ", []],
    ["setvcpus ssh://kvm[1-2]/web1 ", ["1", "2", "3"]],
    ["info ssh://kvm[1-2]/on", ["ssh://kvm[1-2]/on-kvm1", "ssh://kvm[1-2]/on-kvm2"]],
    ["setvcpus ssh://down/web1 ", []],
    ["setvcpus ssh://kvm1/% ", []],
    ["--at-once 5 -H kvm1 info w", ["web1"]],
    ["--at-once x -H kvm1 info w", []],
    ["-H kvm1 --where", ["--where-possible"]],
    ["--at-once ", []],
    ["--installed info ssh://kvm1/w", ["ssh://kvm1/web1"]],
    ["--installed info ", ["here"]],
    ["-H kvm0", ["kvm01", "kvm02", "kvm03"]],
    ["-H @", ["@edge", "@old", "@all"]],
    ["--host=@e", ["--host=@edge"]],
    ["-Hkvm01", ["-Hkvm01"]],
    ["-H kvm1,!@o", ["kvm1,!@old"]],
    ["-H me@kvm0", ["me@kvm01", "me@kvm02", "me@kvm03"]],
    ["-H kvm[0", []],
    ["-H kvm[01-03],k", ["kvm[01-03],kvm01", "kvm[01-03],kvm02", "kvm[01-03],kvm03"]],
    ["--remote-node ", []],
    ["--inventory ", [":files"]],
    ["--hos", ["--host"]],
    ["-H kvm1 --inv", ["--inventory"]],
    ["info --hos", []],
  ])("%j", async (line, words) => {
    // The hosts of this user's own ssh_config may be among them.
    const own = await sshHosts(ownUser.passwdHome ?? "");
    const offered = await next(line);
    expect(offered.filter((each) => words.includes(each) || !own.some((name) => each.includes(name)))).toEqual(words);
  });

  test("the host of the environment, as the verbs have it, with how it is to be reached", async () => {
    expect(await next("info w", { QMPCTL_HOST: "kvm1" })).toEqual(["web1"]);
    expect(await next("--installed --remote-node /opt/node -H kvm2 info w", { QMPCTL_HOST: "kvm1" })).toEqual(["web1"]);
    expect(asked).toEqual([["kvm2", { installed: true, remoteNode: "/opt/node" }]]);
  });

  test("nothing of a host that does not answer soon", async () => {
    const soon = { QMPCTL_COMPLETION_TIMEOUT: "50ms" };
    expect(await next("-H silent info ", soon)).toEqual([]);
    expect(await next("setvcpus ssh://silent/web1 ", soon)).toEqual([]);
  });

  test("no host at all where none is named", async () => {
    await next("info ");
    await next("-H k");
    await next("-H kvm1 setm");
    await next("--host kvm1 info --js");
    expect(asked).toEqual([]);
  });
});

test("a real bash, which parts words at : and @, puts in what is offered", { timeout: 60_000 }, async () => {
  const bin = join(folder, "bin");
  await mkdir(bin);
  await symlink(program, join(bin, "qmpctl"));
  await writeFile(join(bin, "ssh"), `#!/bin/sh\nfor last; do :; done; exec sh -c "$last"\n`, { mode: 0o755 });
  await using bash = await bashInTerminal({
    ...{ PATH: `${bin}:${process.env["PATH"] ?? ""}`, QMPCTL_SSH: join(bin, "ssh") },
    ...{ QMPCTL_CONFIG_DIR: folder, QMPCTL_COMPLETION_TIMEOUT: "60s" },
  });
  for (const [typed, line] of [
    ["qmpctl info ssh://root@kvm9:22/he", "qmpctl info ssh://root@kvm9:22/here "],
    ["qmpctl setmem ssh://kvm7/here 1G --timeout=5s --dyn", "qmpctl setmem ssh://kvm7/here 1G --timeout=5s --dynamic "],
    ["qmpctl -H kvm9   info he", "qmpctl -H kvm9   info here "],
    ["qmpctl -H kvm9,@ed", "qmpctl -H kvm9,@edge "],
    ["qmpctl --host=@ed", "qmpctl --host=@edge "],
    ["qmpctl -H me@kvm03", "qmpctl -H me@kvm03 "],
    ["qmpctl info ssh://kvm03", "qmpctl info ssh://kvm03/"],
    ["qmpctl -H 'kvm[1-2],@edge' info he", "qmpctl -H 'kvm[1-2],@edge' info here "],
    ["true && A=b:c qmpctl -H 'kvm[1-2],@ed", "true && A=b:c qmpctl -H 'kvm[1-2],@edge' "],
    ["qmpctl info 'ssh://kvm9/he", "qmpctl info 'ssh://kvm9/here' "],
  ] as const) {
    expect(await lineIn(bash, typed)).toBe(line);
  }
});

test("a host list that is quoted half, or has a range that is open, goes on with nothing", () => {
  expect(hostsFor("kvm[1,", { groups: ["a"], hosts: ["b"] })).toEqual([]);
  expect(hostsFor("x,!", { groups: ["a"], hosts: ["b"] })).toEqual(["x,!@a", "x,!b"]);
});

test("ssh_config's hosts: of every Host, and of what is included, without patterns", async () => {
  const ssh = join(folder, ".ssh");
  await mkdir(join(ssh, "conf.d"), { recursive: true });
  await writeFile(
    join(ssh, "config"),
    [
      ...["# Host none", "Host web1 web2 *.example.org !bad", "  HostName 10.0.0.1", 'host="db 1" "db1"', "HOST=db2"],
      ...[
        "Include conf.d/*.conf",
        `Include "~/.ssh/more" ${join(ssh, "conf.d")}/./[x]`,
        "Include config",
        "Match host x",
        "  Include ~/.ssh/late",
      ],
      ...["Host -oProxyCommand=x kvm? gate", "Include /nonexistent/*/x", ""],
    ].join("\n"),
  );
  await writeFile(join(ssh, "conf.d/b.conf"), "Host b\n");
  await writeFile(join(ssh, "conf.d/a.conf"), "Host\ta\nInclude conf.d/b.conf\n");
  await writeFile(join(ssh, "conf.d/.hidden.conf"), "Host hidden\n");
  await writeFile(join(ssh, "more"), "Host more\n");
  await writeFile(join(ssh, "late"), "Host late\n");
  expect(await sshHosts(folder)).toEqual(["web1", "web2", "db1", "db2", "a", "b", "more", "late", "gate"]);
  expect(await sshHosts("/nonexistent")).toEqual([]);
});
