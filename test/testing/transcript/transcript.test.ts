import { describe, expect, it } from "vitest";
import { randomFrom } from "../../../scripts/lab/random.ts";
import { formatTranscript, parseTranscript, readTranscript, TranscriptError } from "../../../src/testing/index.ts";

const LINES = [
  "# a comment",
  "",
  "#",
  '-> {"execute":"query-status","id":1}',
  '-> {"exec-oob": "yank", "id": {"a": [null]}}',
  '<- {"return": {}, "id": 1}',
  '<- {"id": 1, "error": {"class": "GenericError", "desc": "\\"no\\" \\u00E9"}}',
  '<- {"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}',
  "#! connect 1 control",
  "#! connect 2 watch 1795343931",
  "#! on 1",
  "#! close 2",
  "#! delay 20",
  "#! split 3",
  "#! bytewise",
  "#! whole",
  "#! truncate 7",
  "#! reset",
  "#! hang",
  '#! garbage "\\xff\\x00 \\"x\\" \\\\"',
  "#! pretty",
  "#! compact",
  "#! deaf",
  '#! stderr "one\\ntwo"',
  "#! exit crashed",
];

describe("parseTranscript", () => {
  it("gives back what formatTranscript wrote, whatever it is (500 random ones)", () => {
    for (let seed = 0; seed < 500; seed += 1) {
      const random = randomFrom(seed);
      const text = [...Array.from({ length: random.below(30) }, () => random.pick(LINES)), "#! end", ""].join("\n");
      const transcript = parseTranscript(text);
      expect(formatTranscript(transcript), `seed ${seed}`).toBe(text);
      expect(parseTranscript(formatTranscript(transcript)), `seed ${seed}`).toEqual(transcript);
    }
  });

  it("keeps the line of every entry", () => {
    const { entries } = parseTranscript(["# one", "", '-> {"execute":"stop"}', "#! end", ""].join("\n"));
    expect(entries.map((it) => it.line)).toEqual([1, 2, 3, 4]);
  });

  it("reads provenance from the head only", () => {
    expect(parseTranscript("# qemu: 7.2.22 (Debian)\n# arch: x86_64\n#! connect 1 control\n# late: no\n#! end\n").provenance).toEqual({
      qemu: "7.2.22 (Debian)",
      arch: "x86_64",
    });
  });

  it("notices a file cut anywhere (every byte)", () => {
    const whole = `${LINES.join("\n")}\n#! end\n`;
    for (let length = 0; length < whole.length - 1; length += 1) {
      // A cut that ends in `#! exit` is a whole transcript that says less.
      if (/#! exit[ a-z]*\n?[#! en]*$/.test(whole.slice(0, length))) continue;
      expect(() => parseTranscript(whole.slice(0, length), "cut.qmp"), `cut at ${length}`).toThrow(/^cut\.qmp:\d+: /);
    }
  });

  it.each([
    ['-> {"execute": "stop"', "not a whole JSON message"],
    ["-> [1]", "not a JSON object"],
    ['<- {"execute": "stop"}', "has none of QMP, return, error, event"],
    ['-> {"return": {}}', "has none of execute, exec-oob"],
    ["> what", 'neither "-> ", "<- " nor "#"'],
    ["#! thunder", 'no such directive: "thunder"'],
    ["#! delay soon", '"delay" takes a whole number, got "soon"'],
    ["#! reset 3", '"reset" takes nothing, got "3"'],
    ["#! garbage x", '"garbage" takes text in double quotes, got x'],
  ])("refuses %s by file and line", (line, why) => {
    expect(() => parseTranscript(`# head\n${line}\n#! end\n`, "bad.qmp")).toThrow(
      new RegExp(`^bad\\.qmp:2: ${why.replace(/[[\]().]/g, "\\$&")}`),
    );
  });

  it("names the file that can't be read", async () => {
    await expect(readTranscript("/nowhere/x.qmp")).rejects.toThrow(TranscriptError);
  });
});
