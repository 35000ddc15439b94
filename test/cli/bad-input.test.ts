import { execFileSync } from "node:child_process";
import { chmod, chown, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { parseTranscript, TranscriptError } from "../../src/testing/index.ts";
import { configText } from "../config/fixtures.ts";
import { type Attempt, faultsOf, type Shop } from "./attempts.ts";

const isRoot = userInfo().uid === 0;
const long = (text: string, times: number): string => text.repeat(times);

/** Each as one value of a command line; what is said has the value in it, as JSON writes it, and what would be right. */
function values(list: readonly string[], argv: (value: string) => readonly string[], right: RegExp): readonly Attempt[] {
  return list.map((value) => ({
    what: JSON.stringify(value.slice(0, 40)),
    argv: argv(value),
    says: [JSON.stringify(value).slice(1, -1).slice(0, 18), right],
  }));
}

function config(what: string, text: string | Uint8Array, ...says: readonly (string | RegExp)[]): Attempt {
  return { what, argv: ["setvcpus", "web1", "2"], says: ["web1.json: ", ...says], prepare: ({ path }) => writeFile(path, text) };
}

const text = configText();
const withKey = (key: string): string => text.replace("{", `{ ${key},`);
const configs: readonly Attempt[] = [
  ...["7", "null", "[]", '"x"', "true"].map((each) => config(`the text ${each}`, each, `the config is ${each}, expected an object`)),
  config("nothing", "", "line 1, column 1: the text ends too early"),
  config("a mark of byte order and nothing else", "\ufeff", "the text ends too early"),
  config("a cut text", text.slice(0, 40), /line \d+, column \d+/),
  config("a text that goes on", `${text}x`, "goes on after its end"),
  config("a key twice", withKey('"name": "web1"'), 'the key "name" stands here a second time'),
  config("__proto__", withKey('"__proto__": {"monitor": "/evil"}'), "__proto__ is", "expected no such key"),
  config("__proto__ deeper", withKey('"mine": [{"__proto__": 1}]'), "mine.0.__proto__ is 1, expected no such key"),
  config("deep lists", long("[", 100_000), "nested deeper than 64"),
  config("deep objects", long('{"a":', 100_000), "nested deeper than 64"),
  config("not UTF-8", Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d), "not UTF-8 text"),
  config("UTF-16", new Uint8Array(Buffer.from(text, "utf16le")), /line 1, column/),
  config(
    "a number without end",
    text.replace('"max": 2', `"max": ${long("1", 900_000)}`),
    "vcpus.max is Infinity, expected a whole number from 1 to 8192",
  ),
  config("a string without end", `{"a":"${long("\\\\", 500_000)}`, /line 1, column/),
  config("60000 keys", `{${Array.from({ length: 60_000 }, (_, i) => `"k${i}":1`).join(",")}}`, "name is missing"),
  config("50000 wrong words", configText({ args: Array.from({ length: 50_000 }, (_, i) => i) }), /and \d+ more/),
  ...Object.entries<readonly [unknown, string]>({
    memory: [[], 'expected an object, as { "max"'],
    vcpus: [null, 'expected an object, as { "max"'],
    args: ["-x", "expected a list of texts"],
    name: ["web2", 'expected "web1", as the file is called'],
    emulator: ["-x", "expected the name of a program"],
    monitor: ["rel", "expected an absolute path"],
  }).map(([key, [value, right]]) =>
    config(`${key} of the wrong type`, configText({ [key]: value }), `${key} is ${JSON.stringify(value)}`, right),
  ),
  ...["", "a/b", " x", "/x\u001b[2J", "/x\n"].map((emulator) =>
    config(`emulator ${JSON.stringify(emulator)}`, configText({ emulator }), "emulator is", "an absolute path"),
  ),
  ...["../x", "", "a b", "web1\u0000", long("x", 300), ".json"].map((name) =>
    config(`name ${JSON.stringify(name.slice(0, 9))}`, configText({ name }), "name is", 'letters, digits, ".", "_"'),
  ),
  ...[1024, "0", "-1G", "1e9", "9EiB", "1.5G", "0x10M", long("9", 400), "\u001b[2J\n", {}].map((max) =>
    config(
      `memory.max ${JSON.stringify(max).slice(0, 9)}`,
      configText({ memory: { max, current: "1G" } }),
      "memory.max is",
      /expected a (text with a whole number and its )?unit/,
    ),
  ),
  ...[0, -1, 1.5, "2", 9000, 1e300, null].map((max) =>
    config(`vcpus.max ${max}`, configText({ vcpus: { max, current: 1 } }), /vcpus.max is/, "expected a whole number from 1 to 8192"),
  ),
  ...["9-1", ",", "0-99999999999", "^0", "1,,2", "all,1", ""].map((pin) =>
    config(
      `pin ${pin}`,
      configText({ vcpus: { max: 1, current: 1, pin: { "0": pin } } }),
      `vcpus.pin.0 is ${JSON.stringify(pin)}, expected a Linux CPU list`,
    ),
  ),
  config(
    "a pin of no vCPU",
    configText({ vcpus: { max: 1, current: 1, pin: { "\u001b[2J": "0" } } }),
    "expected no such key: vCPUs are numbered from 0 to 0",
  ),
  config("a socket's path too long", configText({ monitor: `/${long("x", 107)}` }), "107 bytes at most"),
  config(
    "a socket with QEMU's own options",
    configText({ monitor: "/run/x.sock,server=off" }),
    'monitor is "/run/x.sock,server=off", expected an absolute path',
  ),
  config("an option that is ours", configText({ args: ["-m", "3G"] }), 'args is "-m 3G", expected the key "memory" instead'),
];

const instead =
  (make: (path: string) => unknown) =>
  async ({ path }: Shop): Promise<void> => {
    await rm(path);
    await make(path);
  };
/** What can be where a config should be. */
const kinds: Readonly<Record<string, readonly [prepare: (shop: Shop) => unknown, says: string]>> = {
  "100 MB": [({ path }) => truncate(path, 100 * 2 ** 20), "104857600 bytes, more than the 1048576"],
  "a folder": [instead((path) => mkdir(path)), "a folder, not a file"],
  "a FIFO": [instead((path) => execFileSync("mkfifo", [path])), "not a regular file"],
  "a socket": [
    instead(
      (path) =>
        new Promise<void>((resolve) => {
          const server = createServer().listen(path, () => {
            server.unref();
            resolve();
          });
        }),
    ),
    "not a regular file",
  ],
  "a link out": [instead((path) => symlink("/etc/hostname", path)), "leads out of its folder"],
  "a link to a device": [instead((path) => symlink("/dev/zero", path)), "leads out of its folder"],
  "a link to itself": [instead((path) => symlink("web1.json", path)), "leads back to itself"],
  "a link to nothing": [instead((path) => symlink("none.json", path)), "leads nowhere"],
  nothing: [instead(() => undefined), "there is no such config"],
  "writable by all": [({ path }) => chmod(path, 0o666), "everybody can write it (mode 666); chmod o-w it"],
  "in a folder that all can write": [({ config: folder }) => chmod(folder, 0o777), "everybody can write its folder (mode 777)"],
  "in what is no folder": [
    async ({ config: folder }) => {
      await rm(folder, { recursive: true });
      await writeFile(folder, "");
    },
    "is a file",
  ],
};
const strangers: typeof kinds = {
  "of somebody else": [({ path }) => chown(path, 1234, 1234), "belongs to user 1234"],
  "in a folder of somebody else": [({ config: folder }) => chown(folder, 1234, 1234), "its folder belongs to user 1234"],
};

function attemptsOn(table: typeof kinds): readonly Attempt[] {
  const verbs = [
    ["setvcpus", "web1", "2"],
    ["start", "web1"],
    ["info", "web1"],
    ["undefine", "web1"],
  ];
  return Object.entries(table).flatMap(([what, [prepare, says]]) =>
    verbs.map((argv) => ({ what: `${what}, ${argv[0]}`, argv, says: [says, "web1.json"], prepare })),
  );
}

const hard = [
  "",
  " ",
  ".",
  "..",
  "web1 ",
  " web1",
  "con ",
  "@",
  ".web1",
  "a\u001b[2Jb",
  "a\nb",
  "a\tb",
  "ü",
  long("x", 300),
  "web1;touch x",
  "$(touch x)",
  "`touch x`",
  "a'b",
  'a"b',
  "a|b",
  "a&b",
  "a*",
];
const names: readonly Attempt[] = [
  ...values(hard, (name) => ["setvcpus", name, "2"], /not a domain's name; expected letters, digits/),
  ...values(hard, (name) => ["define", `--name=${name}`, "--", "qemu-system-x86_64"], /not a domain's name; expected letters, digits/),
  ...values(
    ["../none", "a/b", "/none/x", "none.json", "a.json/"],
    (name) => ["setvcpus", name, "2"],
    /there is no such config|is a file/,
  ).map((each) => ({ ...each, says: [/no such config/] })),
  ...[long("x", 5000) + ".json", `/${long("x", 300)}`, long("a/", 3000)].map((path): Attempt => ({
    what: `a path of ${path.length}`,
    argv: ["info", path],
    says: [/too long; expected at most 4095 bytes/],
  })),
  { what: "a folder", argv: ["setvcpus", "/etc", "2"], says: ["/etc: a folder, not a file"] },
  { what: "an option", argv: ["setvcpus", "-x", "2"], says: ["-x: there is no such option"] },
];

const badSizes = [
  "0",
  "1e9",
  "9EiB",
  "1.5G",
  "0x10M",
  long("9", 10_000) + "G",
  "0G",
  "",
  "G",
  "1GG",
  "1 G",
  "+1G",
  "999999P",
  "1B",
  "NaN",
  "1G;touch x",
  "１G",
];
const badCounts = ["", "1.5", "999999999999", "two", " 2", long("9", 400), "0x2", "1e1", "+2", "2\n", "２"];
const badLists = [
  "9-1",
  ",",
  "0-99999999999",
  "^0",
  "1,,2",
  "all,1",
  "",
  "a",
  "0-",
  "0x1",
  "99999",
  long("9", 100_000),
  "0;touch x",
  "1.5",
  "ALL",
  "*",
  "0-8:2",
];
const badTimes = ["-1", "abc", "0", "", "1x", "1e9", "99999h", "Infinity", "0ms", " 1"];
const numbers: readonly Attempt[] = [
  ...["setmem", "setmaxmem"].flatMap((verb) =>
    values(badSizes, (size) => [verb, "web1", size], /expected a whole number with a unit, as 300M|could be 0KiB|: write \d+/),
  ),
  ...values(["1K", "5K"], (size) => ["setmem", "web1", size], /not a positive multiple of 4 KiB/).map((each) => ({
    ...each,
    says: each.says.slice(1),
  })),
  ...values([...badCounts, "0", "8193"], (count) => ["setvcpus", "web1", count], /expected a whole number/),
  ...values([...badCounts, "0"], (count) => ["setvcpus", "web1", count, "--maximum"], /expected a whole number/),
  ...values(
    badCounts.filter((each) => each !== "999999999999"),
    (count) => ["vcpupin", "web1", count, "0"],
    /expected a whole number/,
  ),
  ...values(["2", "999999999999"], (count) => ["vcpupin", "web1", count, "0", "--dry-run"], /instead: a vCPU from 0 to 1/),
  ...values(badLists, (cpus) => ["vcpupin", "web1", "0", cpus], /expected CPU numbers and ranges, as 0-3,8/),
  ...values(
    badTimes,
    (time) => ["setmem", "web1", "512M", `--timeout=${time}`],
    /give a time above 0 and at most 24 days, such as 500ms, 30s/,
  ),
  ...["setmem", "setvcpus"].map((verb): Attempt => ({
    what: `${verb} -1`,
    argv: [verb, "web1", "-1"],
    says: ["-1: numbers must be 0 or more"],
  })),
  { what: "a half that is none", argv: ["setmem", "web1", "512M", "--on-failure", "x"], says: ["--on-failure x: give undo or keep"] },
  { what: "a pid", argv: ["define", "--pid", "1e3"], says: ["--pid 1e3", "a process id, such as 4711"] },
];

const badAddresses = [
  "unix:",
  `unix:/${long("x", 200)}`,
  "unix:rel",
  "unix:./rel",
  "unix:../x",
  "unix:/x,server=on",
  "tcp:127.0.0.1:0",
  "tcp:127.0.0.1:70000",
  "tcp:127.0.0.1",
  "tcp:",
  "tcp:127.0.0.1:-1",
  "tcp:127.0.0.1:1e3",
  "tcp:[::1:5",
  "tcp:10.0.0.1:4444",
  "plain-tcp:h:0",
  `tcp:localhost:${long("9", 5000)}`,
  "http://x",
  "foo:bar",
];
const addresses: readonly Attempt[] = ["info", "qmp"].flatMap((verb) =>
  badAddresses.map((address): Attempt => ({
    what: `${verb} ${address.slice(0, 30)}`,
    argv: [verb, address, ...(verb === "qmp" ? ["query-name"] : [])],
    says: [address.replace(/^unix:(?=\/x{9})/, "").slice(0, 40), /; expected |say plain-tcp:10|at most 107 bytes/],
  })),
);

function wanted(what: string, content: string | Uint8Array, ...says: readonly (string | RegExp)[]): Attempt {
  return { what, argv: ["apply", "web1", "$SHOP/want.json"], says, prepare: ({ folder }) => writeFile(`${folder}/want.json`, content) };
}
const whole = "expected an object with one or more of memory, vcpus, ";
const files: readonly Attempt[] = [
  ...["", "hello", '{"vcpus":{"current":2}', long("[", 100_000), '{"vcpus":{"current":2,"current":3}}'].map((each) =>
    wanted(`the text ${each.slice(0, 9)}`, each, /want.json: line 1, column \d+/, whole),
  ),
  ...[
    ...["[]", "7", "null", '"x"', "{}", '{"x":1}', '{"__proto__":{}}', '{"\\u001b[2J":1}'].map((each) => [each, whole] as const),
    ...['{"memory":{"min":"1G"}}', '{"memory":{"current":512}}'].map((each) => [each, 'expected {"memory": {'] as const),
    ...['{"vcpus":{"current":"2"}}', '{"vcpus":{"pin":{"0":1}}}'].map((each) => [each, 'expected {"vcpus": {'] as const),
  ].map(([each, expected]) => wanted(`the text ${each}`, each, "allocation: ", expected)),
  ...["x", "01", "99999", "-1", "__proto__", "\\u001b[2J\\n"].map((key) =>
    wanted(`a pin of ${key}`, `{"vcpus":{"current":2,"pin":{"${key}":"0"}}}`, "vcpus.pin.", "expected a vCPU's number"),
  ),
  ...["0", "-1", "1.5", "1e300"].map((count) =>
    wanted(`${count} vCPUs`, `{"vcpus":{"current":${count}}}`, "not a number of vCPUs; expected a whole number from 1"),
  ),
  wanted(
    "50000 pins",
    `{"vcpus":{"pin":{${Array.from({ length: 50_000 }, (_, i) => `"${i}":"0"`).join(",")}}}}`,
    "vcpus.pin.4096: not a vCPU's number",
  ),
  wanted("a bare size", '{"memory":{"current":"512"}}', "could be 512KiB"),
  wanted("a list of CPUs", '{"vcpus":{"pin":{"0":"9-1"}}}', "runs backwards"),
  wanted("not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), "not UTF-8 text"),
  wanted("over 1 MiB", long(" ", 2 ** 20 + 1), "1048577 bytes, more than the 1048576"),
  ...Object.entries<(path: string) => unknown>({
    "100 MB": async (path) => {
      await writeFile(path, "");
      await truncate(path, 100 * 2 ** 20);
    },
    "a folder": (path) => mkdir(path),
    "a FIFO": (path) => execFileSync("mkfifo", [path]),
    "a device": (path) => symlink("/dev/zero", path),
    nothing: () => undefined,
  }).map(([what, make]): Attempt => ({
    what,
    argv: ["apply", "web1", "$SHOP/want.json"],
    says: [/want.json: (104857600 bytes, more than|not a regular file|there is no such file|a folder has files for several domains)/],
    prepare: ({ folder }) => make(`${folder}/want.json`),
  })),
  // As `apply web1 "$FILE"` is, where the shell has no such variable.
  ...[
    ["apply", "web1", ""],
    ["import", "libvirt", "--from-file", ""],
  ].map((argv): Attempt => ({ what: `${argv.join(" ")} without a name`, argv, says: ['"": the name of a file is missing'] })),
  {
    what: "define of 100 MB",
    argv: ["define", "$SHOP/big"],
    says: ["104857600 bytes"],
    prepare: async ({ folder }) => {
      await writeFile(`${folder}/big`, "");
      await truncate(`${folder}/big`, 100 * 2 ** 20);
    },
  },
  {
    what: "define of a FIFO",
    argv: ["define", "$SHOP/fifo"],
    says: ["not a regular file"],
    prepare: ({ folder }) => execFileSync("mkfifo", [`${folder}/fifo`]),
  },
];

/** Every group with what it takes on a busy machine. */
const groups = {
  "config files": configs,
  "things in the place of a config": attemptsOn(kinds),
  names,
  "numbers, sizes, lists and times": numbers,
  addresses,
  "files to apply or define": files,
};

for (const [what, attempts] of Object.entries(groups)) {
  test(`${attempts.length} wrong ${what}: one line that says what would be right, 2 or 3, soon, in little memory, and nothing is touched`, async () => {
    expect(await faultsOf(attempts)).toEqual([]);
  }, 120_000);
}

// To make a file somebody else's takes root.
test.runIf(isRoot)(
  "what belongs to somebody else is refused in the same way",
  async () => {
    expect(await faultsOf(attemptsOn(strangers))).toEqual([]);
  },
  60_000,
);

// Root reads what nobody may.
test.skipIf(isRoot)(
  "what can't be read is refused in the same way",
  async () => {
    expect(await faultsOf(attemptsOn({ unreadable: [({ path }) => chmod(path, 0), "permission denied"] }))).toEqual([]);
  },
  60_000,
);

test("a transcript that is cut, at whatever place, is refused with its name and line", async () => {
  const folder = new URL("../../fixtures/qmp/7.2.22_x86_64/", import.meta.url);
  const names = (await readdir(folder)).filter((name) => name.endsWith(".qmp"));
  expect(names.length).toBeGreaterThan(2);
  for (const name of names) {
    const whole = (await readFile(new URL(name, folder), "utf8")).trimEnd();
    parseTranscript(whole, name);
    const lineEnds = [...whole.matchAll(/\n/g)].map(({ index }) => index);
    const places = [0, ...lineEnds, ...Array.from({ length: 50 }, (_, i) => Math.floor((whole.length * i) / 50)), whole.length - 1];
    for (const place of places) {
      const error = ((): unknown => {
        try {
          return parseTranscript(whole.slice(0, place), name);
        } catch (thrown) {
          return thrown;
        }
      })();
      expect(error, `${name} cut at ${place}`).toBeInstanceOf(TranscriptError);
      expect((error as Error).message).toMatch(new RegExp(`^${name}:\\d+: [^\\n]+$`));
    }
  }
});
