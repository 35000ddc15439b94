import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startReplay } from "../../src/testing/index.ts";
import { AT_REST, foldersNowhere, program } from "./program.ts";

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "qmpctl-"))));
afterAll(() => rmSync(folder, { recursive: true }));

let stubs = 0;

/** A program in the place of ssh. Its last word is the command for the far end's shell. */
function ssh(script: string): string {
  const path = join(folder, `ssh${stubs++}`);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** As sshd does: it gives the command to a shell of the login, with its environment. */
const LOGIN = `for last; do :; done; exec env -i PATH="$PATH" HOME=/nonexistent sh -c "$last"`;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function qmpctl(words: readonly string[], sshProgram: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...words], {
    env: { PATH: process.env["PATH"], NODE_DISABLE_COMPILE_CACHE: "1", ...foldersNowhere(), QMPCTL_SSH: sshProgram, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

describe("on another host", () => {
  test("a verb is done there, by a program that is sent: -H, the variable and an address say the same", async () => {
    await using server = await startReplay({ answers: AT_REST });
    const login = ssh(LOGIN);
    const here = await qmpctl(["qmp", server.address, "query-status"], login);
    expect(here).toEqual({ code: 0, stdout: '{"running":true,"status":"running"}\n', stderr: "" });
    expect(await qmpctl(["-H", "kvm1", "qmp", server.address, "query-status"], login)).toEqual(here);
    expect(await qmpctl(["--host=kvm1", "qmp", server.address, "query-status"], login)).toEqual(here);
    expect(await qmpctl(["qmp", `ssh://kvm1/${server.address}`, "query-status"], login)).toEqual(here);
    expect(await qmpctl(["qmp", server.address, "query-status"], login, { QMPCTL_HOST: "kvm1" })).toEqual(here);
    const info = await qmpctl(["-H", "kvm1", "info", server.address], login);
    expect(info.stdout).toContain("running");
    expect(info.code).toBe(0);
  });

  test("ssh is given the host as a word of its own, and nothing of the user's in the command", async () => {
    const words = join(folder, "words");
    const spy = ssh(`for word; do printf '%s\\n' "$word"; done > ${words}; exit 255`);
    const name = `a'b"c$(d) e`;
    await qmpctl(["-H", "root@kvm1:2222", "info", name], spy);
    const given = readFileSync(words, "utf8").split("\n");
    expect(given.slice(0, 11)).toEqual(["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-l", "root", "-p", "2222", "--", "kvm1"]);
    expect(given[11]).toMatch(/^exec node -e 'eval\(Buffer\.from\("[\w+/=]+","base64"\)\.toString\(\)\)'$/);
    expect(given.slice(12)).toEqual([""]);
  });

  test("ssh has a session of its own: Ctrl-C on the terminal does not end the very connection that has to say so", async () => {
    const words = join(folder, "session");
    const spy = ssh(`read -r pid _ _ _ _ session _ < /proc/$$/stat; echo "$pid $session" | sed 's/(.*) //' > ${words}; exit 255`);
    await qmpctl(["-H", "kvm1", "list"], spy);
    const [pid, session] = readFileSync(words, "utf8").trim().split(" ");
    expect([pid, session]).toEqual([expect.stringMatching(/^\d+$/), pid]);
  });

  test("what only reads takes one part of the program, and all of it comes before anything is changed", async () => {
    await using server = await startReplay({ answers: AT_REST });
    const heard = join(folder, "heard");
    const spy = ssh(`for last; do :; done; tee ${heard} | env -i PATH="$PATH" HOME=/nonexistent sh -c "$last"`);
    const frames = (): readonly string[] => [...readFileSync(heard, "utf8").matchAll(/^\{"(\w+)"/gm)].map(([, word = ""]) => word);
    for (const words of [["info", server.address], ["vcpuinfo", server.address], ["qmp", server.address, "query-status"], ["list"]]) {
      expect(await qmpctl(["-H", "kvm1", ...words], spy)).toMatchObject({ code: 0 });
      expect([words, frames().slice(0, 2)]).toEqual([words, ["program", "call"]]);
      expect(frames()).not.toContain("more");
    }
    await qmpctl(["-H", "kvm1", "setmem", server.address, "1GiB", "--dynamic", "--dry-run"], spy);
    expect(frames()).toEqual(["program", "more", "call"]);
  });

  test("--remote-node names Node there, and can be no more than a path", async () => {
    await using server = await startReplay({ answers: AT_REST });
    const login = ssh(LOGIN.replace('PATH="$PATH"', "PATH=/usr/bin:/bin"));
    const named = await qmpctl(["-H", "kvm1", "--remote-node", process.execPath, "qmp", server.address, "query-status"], login);
    expect(named).toMatchObject({ code: 0, stderr: "" });
    const address = ["qmp", `ssh://kvm1/${server.address}`, "query-status"];
    expect(await qmpctl(["--remote-node", process.execPath, ...address], login)).toEqual(named);
    expect(await qmpctl(["--remote-node", process.execPath, "list"], login)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--remote-node: of which host? -H HOST is missing") as string,
    });
    const refused = await qmpctl(["-H", "kvm1", "--remote-node", "node;reboot", "list"], login);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(`"node;reboot": can't be the path of Node`);
  });

  test("a failure there is told as one here, with its exit code, and with --json as its evidence", async () => {
    const login = ssh(LOGIN);
    const failed = await qmpctl(["-H", "kvm1", "info", "unix:/nonexistent.sock"], login);
    expect(failed).toMatchObject({ code: 0 });
    const refused = await qmpctl(["-H", "kvm1", "setmem", "unix:/nonexistent.sock", "1GiB", "--json"], login);
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([3, { outcome: "refused" }]);
    // The advice is for errors of that class.
    expect((await qmpctl(["-H", "kvm1", "info", "nope"], login)).stderr).toContain(
      "there is no such config; qmpctl -H kvm1 list --all shows all domains",
    );
    expect((await qmpctl(["-H", "kvm1", "info", "ssh://kvm2/web1"], login)).stderr).toContain("names a host itself");
  });

  test("an installed one is used with --installed, within what its key allows", async () => {
    await using server = await startReplay({ answers: AT_REST });
    const forced = ssh(
      `exec env -i PATH="$PATH" ${Object.entries(foldersNowhere())
        .map(([name, value]) => `${name}=${value}`)
        .join(" ")} ${process.execPath} ${program} serve --read-only --domains 'web*'`,
    );
    const list = await qmpctl(["--installed", "-H", "kvm1", "info", server.address], forced);
    expect(list.code).toBe(3);
    expect(list.stderr).toContain("this key allows domains by their names only");
    const change = await qmpctl(["-H", "kvm1", "--installed", "setmem", "web1", "1GiB"], forced);
    expect([change.code, change.stderr]).toEqual([3, expect.stringContaining("this key may only read")]);
    const address = await qmpctl(["--installed", "info", `ssh://kvm1/${server.address}`], forced);
    expect(address.stderr).toContain("this key allows domains by their names only");
    expect((await qmpctl(["--installed", "list"], forced)).stderr).toContain("--installed: of which host? -H HOST is missing");
    expect((await qmpctl(["--installed", "info", "web1"], forced)).code).toBe(2);
  });
});

test("an inventory says where a host is: by --inventory, its variable, and for an address; what to type next works without it", async () => {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  const listed = {
    _meta: { hostvars: { web: { ansible_host: "10.0.0.5", ansible_user: "root", ansible_port: 2222 } } },
    all: { hosts: ["web"] },
  };
  writeFileSync(join(bin, "ansible-inventory"), `#!/bin/sh\necho '${JSON.stringify(listed)}'\n`, { mode: 0o755 });
  const inventory = join(folder, "inventory");
  writeFileSync(inventory, "");
  const words = join(folder, "placed");
  const spy = ssh(`printf '%s ' "$@" | head -c 120 > ${words}; ${LOGIN}`);
  const env = { PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  for (const [argv, more] of [
    [["--inventory", inventory, "-H", "web", "info", "nope"], {}],
    [[`--inventory=${inventory}`, "info", "ssh://web/nope"], {}],
    [["-H", "web", "info", "nope"], { QMPCTL_INVENTORY: inventory }],
    [["info", "ssh://web/nope"], { QMPCTL_INVENTORY: inventory }],
  ] as const) {
    rmSync(words, { force: true });
    const { stderr } = await qmpctl(argv, spy, { ...env, ...more });
    expect(stderr).toContain("qmpctl -H root@10.0.0.5:2222 list --all shows all domains");
    expect(readFileSync(words, "utf8")).toContain("-l root -p 2222 -- 10.0.0.5 ");
  }
  expect(await qmpctl(["--inventory", "/nonexistent", "-H", "web", "list"], spy)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--inventory /nonexistent: no such file or directory") as string,
  });
});

test.each([
  [["-H", "kvm1", "setm"], "setmem\nsetmaxmem\n"],
  [["--installed", "--host=kvm1", "setvc"], "setvcpus\nsetvcpu\n"],
  [["-H", "kvm1", "info", "--jso"], "--json\n"],
  [["-H", "kvm1", "info", ""], ""],
])("completion goes on behind the host: %j", async (words, stdout) => {
  expect(await qmpctl(["__complete", ...words], ssh("exit 1"))).toEqual({ code: 0, stdout, stderr: "" });
});

describe("a host that can't be worked with is told, and why", () => {
  test.each([
    ["resolve", "ssh: Could not resolve hostname kvm1: Name or service not known", 255, "kvm1: no such host"],
    ["refused", "ssh: connect to host kvm1 port 22: Connection refused", 255, "kvm1: nobody listens there"],
    ["timeout", "ssh: connect to host kvm1 port 22: Connection timed out", 255, "kvm1: no answer"],
    ["host-key", "Host key verification failed.", 255, "kvm1: its key is not the known one"],
    ["auth", "root@kvm1: Permission denied (publickey).", 255, "kvm1: it does not let us in"],
    ["no-node", "sh: 1: exec: node: not found", 127, "kvm1: there is no Node there that its login finds; --remote-node PATH names it"],
    ["no-node", "node: Command not found.", 1, "kvm1: there is no Node there"],
    ["other", "mux_client_request_session: session request failed", 255, "kvm1: ssh ended with 255"],
  ])("%s: %s", async (why, words, status, message) => {
    const { code, stdout, stderr } = await qmpctl(["-H", "kvm1", "list", "--json"], ssh(`echo "${words}" >&2; exit ${status}`));
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "connect", why, host: "kvm1" } });
    expect(stderr).toContain(message);
    expect(stderr).toContain(words);
  });

  test("throttled, and it is tried again: nothing was sent", async () => {
    const count = join(folder, "count");
    const words = "kex_exchange_identification: read: Connection reset by peer";
    const busy = ssh(`echo x >> ${count}; if [ $(wc -l < ${count}) -lt 3 ]; then echo "${words}" >&2; exit 255; fi; ${LOGIN}`);
    expect(await qmpctl(["-H", "kvm1", "list", "--all"], busy)).toMatchObject({ code: 0 });
  });

  const BANNER = "Unauthorised use is prohibited. Permission denied, Connection refused, not found.";
  test.each([
    [
      "a banner is not ssh's word",
      `${BANNER}`,
      'echo "This account is closed."; exit 3',
      "other",
      'its login ended with 3: "This account is closed."',
    ],
    ["nor is it when Node is missing", `${BANNER}\nnode: Command not found.`, "exit 1", "no-node", "Command not found."],
    [
      "a jump host that refuses is no host that is busy",
      "ssh: connect to host jump port 22: Connection refused\nkex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
      "exit 255",
      "refused",
      "connect to host jump port 22: Connection refused",
    ],
  ])("%s", async (_, words, end, why, message) => {
    const { code, stdout } = await qmpctl(["-H", "kvm1", "list", "--json"], ssh(`printf '%s\\n' '${words}' >&2; ${end}`));
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { why, message: expect.stringContaining(message) as string } });
  });

  test("noise before the first word, with a sample of it", async () => {
    const { code, stderr } = await qmpctl(["-H", "kvm1", "list"], ssh(`echo Welcome to kvm1; ${LOGIN}`));
    expect(code).toBe(1);
    expect(stderr).toContain(String.raw`something else than qmpctl speaks there first, "Welcome to kvm1\n"`);
    const silent = await qmpctl(["-H", "kvm1", "list"], ssh("echo bye; exit 0"));
    expect(silent.stderr).toContain(String.raw`"bye\n"`);
    const endless = await qmpctl(["-H", "kvm1", "list"], ssh("exec yes"));
    expect(endless.stderr).toContain("something else than qmpctl speaks there first");
  });

  test("a Node that is too old, and another version of the words", async () => {
    const old = await qmpctl(["-H", "kvm1", "list"], ssh(`echo '{"qmpctl":"loader","protocol":[1,1],"node":"v18.20.4"}'; cat >/dev/null`));
    expect(old.stderr).toContain("kvm1: it has Node v18.20.4, and 20.19 or newer is needed");
    const newer = await qmpctl(["-H", "kvm1", "list"], ssh(`echo '{"qmpctl":"serve","protocol":[7,9],"version":"9.0.0"}'; cat >/dev/null`));
    expect(newer.stderr).toContain("kvm1: its qmpctl 9.0.0 speaks versions 7-9 of the words between hosts, and this one 1-1");
  });

  test("no ssh program here", async () => {
    const { code, stderr } = await qmpctl(["-H", "kvm1", "list"], join(folder, "none"));
    expect([code, stderr]).toEqual([1, expect.stringContaining("kvm1: no such program")]);
  });

  test("a host that can't be one asks nobody, and a usage mistake neither", async () => {
    const never = ssh(`touch ${join(folder, "asked")}`);
    expect((await qmpctl(["-H", "-oProxyCommand=x", "list"], never)).code).toBe(2);
    expect((await qmpctl(["-H", "kvm1", "setmem", "web1"], never)).code).toBe(2);
    expect((await qmpctl(["-H"], never)).code).toBe(2);
    for (const hosts of ["kvm1,-oProxyCommand=x", "kvm1,$(reboot)", "kvm1,kvm2\n"])
      expect(await qmpctl(["-H", hosts, "list"], never)).toMatchObject({ code: 2, stdout: "" });
    expect((await qmpctl(["info", "ssh://kvm[3-1]/web1"], never)).code).toBe(2);
    expect(() => readFileSync(join(folder, "asked"))).toThrow("ENOENT");
  });
});

test("what a verb of another host says to type next names the host, and files of this host are not meant there", async () => {
  const login = ssh(LOGIN);
  const relative = await qmpctl(
    ["-H", "kvm1", "attach", "web1", "-blockdev", "driver=file,filename=disk.img,node-name=d", "-device", "virtio-blk-pci,drive=d,id=d1"],
    login,
  );
  expect(relative).toMatchObject({ code: 2, stderr: expect.stringContaining("no folder of another host is known") as string });
  for (const words of [
    ["-H", "kvm1", "change-media", "web1", "cd0", "a.iso"],
    ["change-media", "ssh://kvm1/web1", "cd0", "a.iso"],
  ])
    expect(await qmpctl(words, login)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no folder of another host is known") as string,
    });
});
