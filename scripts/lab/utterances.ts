import type { Random } from "./random.ts";

/*
 * What a client may send to a monitor, right or wrong, one character for each byte. At most it pauses or resumes the machine.
 */

const GOOD: readonly string[] = ["query-name", "query-status", "query-version", "query-uuid", "stop", "cont"];

/** Ids of every kind, as JSON text. */
const IDS: readonly string[] = [
  "1",
  "0",
  "-1",
  "9223372036854775807",
  "18446744073709551615",
  "-9223372036854775808",
  "18446744073709551616",
  "0.1",
  "1.0",
  "2.50",
  "-0",
  "-0.0",
  "1e3",
  "1e-7",
  "1e29",
  "123456789.125",
  "1e400",
  "null",
  "true",
  "false",
  '""',
  '"x"',
  '"\\u00e9\\u20AC\\ud83d\\ude00"',
  '"\xc3\xa9"',
  '"\xf0\x9f\x98\x80"',
  '"\\u0000"',
  '"a\\n\\t\\/\\\\\\""',
  "'it\\'s'",
  '"\x7f"',
  "[]",
  "{}",
  "[1,[2,[3]]]",
  '{"a":1,"b":2,"c":3,"d":4}',
  '{"zeta":{"alpha":[{}]},"beta":null}',
  '{"id":1,"execute":"stop"}',
  '[null,true,"x",1.5]',
  '{"":""}',
];

function idOf(random: Random): string {
  const kind = random.below(4);
  if (kind === 0) return "";
  return `,"id":${kind === 1 ? `"r${random.below(1000)}"` : random.pick(IDS)}`;
}

/** A valid request for a monitor in command mode. */
export function plainRequest(random: Random): string {
  const command = random.pick(GOOD);
  const args = random.pick(["", "", ',"arguments":{}']);
  return `{"execute":"${command}"${args}${idOf(random)}}`;
}

/** Arguments that QEMU refuses before it does anything, in every version. */
const WRONG: readonly (readonly [string, string])[] = [
  ["qom-list", "{}"],
  ["qom-list", '{"path":1}'],
  ["qom-list", '{"path":null}'],
  ["qom-list", '{"path":"/machine","x":1}'],
  ["qom-list", '{"x":1}'],
  ["set_link", '{"name":"a","up":1}'],
  ["set_link", '{"name":"a"}'],
  ["set_link", '{"up":true}'],
  ["balloon", '{"value":"a"}'],
  ["balloon", '{"value":1.5}'],
  ["balloon", '{"value":1.0}'],
  ["balloon", '{"value":1e30}'],
  ["balloon", '{"value":true}'],
  ["balloon", '{"value":[]}'],
  ["query-cpu-model-expansion", '{"type":"nope","model":{"name":"x"}}'],
  ["query-cpu-model-expansion", '{"type":1,"model":{"name":"x"}}'],
  ["query-cpu-model-expansion", '{"type":"full","model":1}'],
  ["query-cpu-model-expansion", '{"type":"full","model":{}}'],
  ["query-cpu-model-expansion", '{"type":"full","model":{"name":"x","y":1}}'],
  ["query-cpu-model-expansion", '{"model":{"z":1},"type":"full"}'],
  ["migrate-set-capabilities", '{"capabilities":1}'],
  ["migrate-set-capabilities", '{"capabilities":[1]}'],
  ["migrate-set-capabilities", '{"capabilities":[{"capability":"nope","state":true}]}'],
  ["migrate-set-capabilities", '{"capabilities":[{"capability":"xbzrle","state":1}]}'],
  ["migrate-set-capabilities", '{"capabilities":[{"capability":"xbzrle"}]}'],
  ["migrate-set-capabilities", '{"capabilities":[{"capability":"xbzrle","state":true,"z":1}]}'],
  ["migrate-set-capabilities", '{"capabilities":[{"capability":"xbzrle","state":true},{}]}'],
  ["chardev-add", '{"id":"a","backend":{"type":"nope","data":{}}}'],
  ["chardev-add", '{"id":"a","backend":{"data":{}}}'],
  ["chardev-add", '{"id":"a","backend":{"type":"null"}}'],
  ["chardev-add", '{"backend":{}}'],
  ["chardev-add", '{"id":"a","backend":{"type":"socket","data":{"addr":{"type":"unix","data":{}}}}}'],
  ["chardev-add", '{"id":"a","backend":{"type":"file","data":{"out":1}}}'],
  ["blockdev-add", "{}"],
  ["blockdev-add", '{"driver":"nope"}'],
  ["blockdev-add", '{"driver":"raw"}'],
  ["blockdev-add", '{"driver":"raw","file":{}}'],
  ["blockdev-add", '{"driver":"file","filename":"x","zz":1}'],
  ["blockdev-add", '{"driver":"qcow2","file":"x","cache":{"direct":1}}'],
  ["device_add", "{}"],
  ["netdev_add", '{"type":"nope","id":"a"}'],
  ["netdev_add", '{"type":"user"}'],
  ["human-monitor-command", '{"command-line":"info name","cpu-index":"x"}'],
  ["human-monitor-command", "{}"],
  ["query-name", '{"x":1}'],
  ["stop", '{"x":1}'],
  ["query-blockstats", '{"query-nodes":1}'],
  ["qom-set", '{"path":"/","property":"x"}'],
  ["add-fd", '{"fdset-id":"a"}'],
  ["migrate", '{"uri":1}'],
];

/** A complete but wrong request: wrong arguments, members, commands or use of out-of-band. */
export function oddRequest(random: Random): string {
  const id = idOf(random);
  const [command, args] = random.pick(WRONG);
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      return `{"execute":"${command}","arguments":${args}${id}}`;
    case 3:
      return `{"execute":${random.pick(['"nosuch"', '""', '"QUERY-NAME"', '"query-name "', '"\\u00e9"', '"\\u0000"', '"a\\nb"', '"%s%n"'])}${id}}`;
    case 4:
      return `{"execute":${random.pick(["1", "null", "[]", "{}", "true"])}${id}}`;
    case 5:
      return random
        .pick(["{}", `{"id":1}`, `{"arguments":{}${id}}`, "[]", "1", '"x"', "null", "true", "[{}]", '[{"execute":"stop"}]', "1.5", "-1"])
        .concat(" ");
    case 6:
      return `{"execute":"query-name","arguments":${random.pick(["null", "1", "[]", '"x"', "false"])}${id}}`;
    case 7:
      return `{${shuffled(random, ['"execute":"query-name"', `"${random.pick(["foo", "Execute", "exec", "", "arguments ", "\\u0065xecute!"])}":1`, ...(id === "" ? [] : [id.slice(1)])]).join(",")}}`;
    default:
      return random.pick([
        `{"exec-oob":"query-name","id":"oob-1"}`,
        `{"exec-oob":"nosuch","id":"oob-2"}`,
        `{"exec-oob":"migrate-pause","id":"oob-3"}`,
        `{"execute":"stop","exec-oob":"stop","id":"both"}`,
        `{"exec-oob":1,"id":"oob-5"}`,
      ]);
  }
}

function shuffled<T>(random: Random, items: readonly T[]): readonly T[] {
  return items
    .map((item) => [random.below(1000), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}

const MALFORMED: readonly string[] = [
  '{"execute":"query-name",}',
  '{"execute" "query-name"}',
  '{execute:"query-name"}',
  '{"execute":"query-name" "id":1}',
  '{"execute":"query-name","id":1,"id":2}',
  '{"a":1,"a":1}',
  "[1,]",
  "[1 2]",
  "{,}",
  "[,]",
  "{1:2}",
  "nul ",
  "True ",
  "NaN ",
  "Infinity ",
  "undefined ",
  "01 ",
  "-01 ",
  "1. ",
  ".5 ",
  "+1 ",
  "1e ",
  "1e+ ",
  "0x1 ",
  "- ",
  "--1 ",
  "1x ",
  '"\\q" ',
  '"\\u12" ',
  '"\\uZZZZ" ',
  '"\\ud800" ',
  '"\\ud800\\u0041" ',
  '"\\udc00" ',
  '"\\ud83d\\ude00" ',
  '"\\uFFFE" ',
  '"\\ufdd0" ',
  '"a\x01b" ',
  '"a\tb" ',
  '"\xc3" ',
  '"\xed\xa0\x80" ',
  '"\xf8" ',
  '"\xc0\x80" ',
  '"\xf4\x90\x80\x80" ',
  '"\xe2\x82" ',
  '"\xef\xbf\xbf" ',
  '"\xff" ',
  "\xff",
  "\xfe",
  "\x00",
  "\x80",
  "\xef\xbb\xbf{}",
  "// comment\n",
  "/* comment */\n",
  "# comment\n",
  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
  "%d ",
  "'single' ",
  "'a\"b' ",
  "'\\q' ",
  '{"execute":"query-name"',
  '{"execute":"query-',
  "[[[[",
  "]]",
  "}",
  "}{",
  "[}",
  "{]",
  '{"a":[}]',
  "{{}}",
  '"unfinished',
  "@",
  "{@}",
  '{"execute":@"stop"}',
  "\x0b",
  "\x1b[A",
];

/** Text that is not JSON: known mistakes, cut requests, changed bytes. */
export function brokenText(random: Random): string {
  const kind = random.below(5);
  if (kind < 2) return random.pick(MALFORMED);
  if (kind === 2) return cut(random, oddRequest(random));
  // Only right requests are changed: a changed byte could turn a wrong one into one that changes the machine.
  const text = plainRequest(random);
  const at = random.below(text.length);
  const byte =
    random.below(2) === 0
      ? random.pick(["{", "}", "[", "]", '"', "'", ",", ":", "\\", "\n", "\xff", "\x00"])
      : String.fromCharCode(random.below(256));
  return text.slice(0, at) + byte + text.slice(at + random.below(2));
}

function cut(random: Random, text: string): string {
  return text.slice(0, random.below(text.length));
}
