import { describe, expect, test } from "vitest";
import { unitName, type UnitSpec, unitText, unitWord } from "../../../src/domain/supervise/unit-text.ts";

const SPEC: UnitSpec = {
  domain: "web1",
  manager: "system",
  user: null,
  command: ["/usr/bin/node", "/opt/qmpctl/main.js", "run", "/etc/qmpctl/web1.json"],
  environment: {},
  files: ["/etc/qmpctl/web1.json", "/srv/a.img", "/srv/a.img"],
  startTimeout: 60_000,
  shutdownTimeout: 61_500,
};

/** The settings of a unit by section and key, read as systemd.syntax(7) has it. */
function settingsOf(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  let section = "";
  for (const line of text.split("\n").filter((each) => each !== "" && !each.startsWith("#"))) {
    const [, name] = /^\[(\w+)\]$/.exec(line) ?? [];
    if (name !== undefined) section = name;
    else {
      const [, key = "", value = ""] = /^(\w+)=(.*)$/.exec(line) ?? [];
      expect(key, line).not.toBe("");
      found.set(`${section}.${key}`, [...(found.get(`${section}.${key}`) ?? []), value]);
    }
  }
  return found;
}

/** The words of a value, as systemd splits and unquotes them: escapes of C in double quotes, then `%%`. */
function wordsOf(value: string): readonly string[] {
  return [...value.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain = ""]) =>
    (quoted === undefined
      ? plain
      : quoted.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex?: string, char?: string) =>
          hex === undefined ? (char ?? "") : String.fromCharCode(Number.parseInt(hex, 16)),
        )
    ).replaceAll("%%", "%"),
  );
}

describe("unitText", () => {
  test("is a service that tells when the machine runs, and whose main process alone is asked to stop", () => {
    const unit = settingsOf(unitText(SPEC));
    expect(unit.get("Service.Type")).toEqual(["notify"]);
    expect(unit.get("Service.NotifyAccess")).toEqual(["all"]);
    expect(unit.get("Service.KillMode")).toEqual(["mixed"]);
    expect(unit.get("Service.Delegate")).toEqual(["yes"]);
    expect(unit.get("Service.Restart")).toEqual(["on-failure"]);
    expect(wordsOf(unit.get("Service.ExecStart")?.[0] ?? "")).toEqual(SPEC.command);
  });

  test("waits longer than the guest may take, and longer than a start may", () => {
    const unit = settingsOf(unitText(SPEC));
    const seconds = (key: string): number => Number(/^(\d+)s$/.exec(unit.get(`Service.${key}`)?.[0] ?? "")?.[1]);
    // A machine that had to be ended by force takes up to ten seconds more.
    expect(seconds("TimeoutStopSec")).toBeGreaterThan(61.5 + 10);
    expect(seconds("TimeoutStartSec")).toBeGreaterThan(60 + 10);
  });

  test("wants what it needs: its files' mounts once each, and for the system's manager the network", () => {
    const unit = settingsOf(unitText(SPEC));
    expect(unit.get("Unit.RequiresMountsFor")).toEqual(["/etc/qmpctl/web1.json", "/srv/a.img"]);
    expect(unit.get("Unit.After")).toEqual(["network-online.target"]);
    expect(unit.get("Install.WantedBy")).toEqual(["multi-user.target"]);
    const own = settingsOf(unitText({ ...SPEC, manager: "user" }));
    // A user's manager has no such target.
    expect(own.get("Unit.After")).toBeUndefined();
    expect(own.get("Install.WantedBy")).toEqual(["default.target"]);
    expect(own.get("Service.User")).toBeUndefined();
    expect(settingsOf(unitText({ ...SPEC, user: "anna" })).get("Service.User")).toEqual(["anna"]);
  });

  test("is given up when it crashes again and again, and not when somebody starts and stops it: systemd counts those starts too", () => {
    const unit = settingsOf(unitText(SPEC));
    const pause = parseInt(unit.get("Service.RestartSec")?.[0] ?? "");
    const burst = Number(unit.get("Unit.StartLimitBurst"));
    expect(unit.get("Unit.StartLimitIntervalSec")).toEqual(["5min"]);
    // Up to 15 s from a start to its crash; and the eight that somebody needs who tries it all.
    expect(burst * (pause + 15)).toBeLessThan(300);
    expect(burst).toBeGreaterThan(8);
  });

  test("odd paths come through systemd's own rules as they are", () => {
    const odd = ["/a b/%n/$HOME/\"q\"/back\\slash/'s'/é;x", "-x", "/tab\there"];
    const unit = settingsOf(
      unitText({ ...SPEC, command: ["/usr/bin/node", ...odd], files: odd, environment: { QMPCTL_CONFIG_DIR: odd[0] ?? "" } }),
    );
    const exec = unit.get("Service.ExecStart")?.[0] ?? "";
    // Without the colon, $HOME would be a variable.
    expect(exec.startsWith(":/usr/bin/node ")).toBe(true);
    expect(wordsOf(exec.slice(1))).toEqual(["/usr/bin/node", ...odd]);
    expect(wordsOf(unit.get("Service.Environment")?.[0] ?? "")).toEqual([`QMPCTL_CONFIG_DIR=${odd[0]}`]);
    // A control character can't stand there in every version.
    expect(unit.get("Unit.RequiresMountsFor")?.map((each) => wordsOf(each)[0])).toEqual(odd.slice(0, 2));
  });
});

test("a word is quoted where it has to be, and its line is one", () => {
  expect(unitWord("/usr/bin/node")).toBe("/usr/bin/node");
  expect(unitWord("a\nb")).toBe('"a\\x0ab"');
  expect(unitWord("100%")).toBe("100%%");
});

test("a unit's name has only characters that it may have, and no two domains have the same", () => {
  expect(unitName("web-1.x_Y")).toBe("qmpctl-web-1.x_Y.service");
  expect(unitName("a+b")).toBe("qmpctl-a\\x2bb.service");
});
