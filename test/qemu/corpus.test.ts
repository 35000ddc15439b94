import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { privateFolder, qemus } from "../../scripts/lab/machine.ts";
import { toCommandLine } from "../../src/config/argv.ts";
import { defineFrom } from "../../src/domain/lifecycle/board.ts";
import { define, type Sample, SAMPLES, wordsOf } from "../config/corpus.ts";
import { comparable, furnish, here, isBetween, monitorsIn, nameOf, type Portrait, portray } from "./twins.ts";

// A machine that is started from its config has to be the one that its command line was: both are started, stopped, and say what they are.

/** Emulators of other architectures, where Debian's package is installed. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  "qemu-system-aarch64": "qemu-system-arm",
  "qemu-system-arm": "qemu-system-arm",
  "qemu-system-ppc64": "qemu-system-ppc",
  "qemu-system-riscv64": "qemu-system-misc",
  "qemu-system-s390x": "qemu-system-misc",
  "qemu-system-i386": "qemu-system-x86",
};

interface Emulator {
  readonly called: string;
  readonly binary: string;
  readonly version: string;
}

async function versionOf(binary: string): Promise<string | undefined> {
  const answer = await promisify(execFile)(binary, ["--version"]).catch(() => undefined);
  return /version (\d+\.\d+)/.exec(answer?.stdout ?? "")?.[1];
}

const pcs = (await qemus()).map(({ binary, version }): Emulator => ({ called: "qemu-system-x86_64", binary, version }));
const others = await Promise.all(
  Object.keys(ARCHITECTURES).map(async (binary) => ({ called: binary, binary, version: await versionOf(binary) })),
);
const emulators = [...pcs, ...others];

/**
 * The installed one is asked all that it can be; those of other releases what only they take, and what is read differently from release to
 * release.
 */
const EVERYWHERE = /topology|nographic|screen-by-vnc|console-|dies|monitors|two-nodes|backend-says/;

function samplesOf({ called, binary, version }: Emulator): readonly Sample[] {
  const mine = SAMPLES.filter(
    ({ json, notStarted, script, since, until }) =>
      json !== null &&
      notStarted === undefined &&
      script.includes(called) &&
      nameOf(wordsOf({ script } as Sample).argv[0] ?? "") === called &&
      isBetween(version, since, until),
  );
  return binary === called ? mine : mine.filter(({ name, since }) => EVERYWHERE.test(name) || since !== undefined);
}

for (const emulator of emulators) {
  const { called, binary, version } = emulator;
  const title = `${nameOf(binary)} ${version ?? ""}`;
  if (version === undefined) {
    test(`${title} is here`, ({ skip }) => skip(`no ${called} here: npm run testbed -- --install (${ARCHITECTURES[called]})`));
    continue;
  }
  describe.concurrent(title, () => {
    test.each(samplesOf({ called, binary, version }))("$name is the machine that its command line was", async (sample) => {
      const [one, other] = await Promise.all([byCommandLine(sample, binary), byConfig(sample, binary)]);
      expect(other).toEqual(one);
    });

    if (called === "qemu-system-aarch64")
      test("a board that can't be asked is told in QEMU's own words", async () => {
        const words = [called, "-name", "camera", "-M", "canon-a1100"];
        await expect(defineFrom(words, {})).rejects.toMatchObject({
          code: "usage",
          message: expect.stringContaining("Couldn't find rom image 'canon-a1100-rom1.bin'") as string,
        });
      });

    const asked = SAMPLES.filter((sample) => sample.board !== undefined && sample.script.includes(`${called} `));
    if (binary === called)
      test.each(asked)("C2: $name has what its emulator says of its board", async (sample) => {
        expect((await defineFrom(wordsOf(sample).argv, {})).text).toBe(sample.json);
      });
  });
}

async function byCommandLine(sample: Sample, emulator: string): Promise<Portrait> {
  await using own = await privateFolder("qc-");
  const folder = join(own.path, "a");
  await furnish(folder);
  const [, ...words] = wordsOf(sample).argv;
  return comparable(await portray(emulator, here(words, folder), folder), monitorsIn(define(sample).notes), kindOf(sample));
}

async function byConfig(sample: Sample, emulator: string): Promise<Portrait> {
  await using own = await privateFolder("qc-");
  const folder = join(own.path, "a");
  await furnish(folder);
  const { config } = define(sample);
  const sockets = { control: join(folder, "control.sock"), watch: join(folder, "watch.sock") };
  const mark = { id: "0d5e5d3e-2b3c-4f57-9d7c-0d4b5e6f7a8b", path: "/etc/qmpctl/web1.json" };
  const [, ...words] = toCommandLine(config, { ...sockets, pidfile: join(folder, "ours.pid") }, mark);
  const portrait = await portray(emulator, here(words, folder), folder);
  return comparable(portrait, ["/control.sock", "/watch.sock", ...(config.monitor === undefined ? [] : [config.monitor])], kindOf(sample));
}

function kindOf({ board, json }: Sample): { readonly ofBoard: boolean; readonly textScreens: boolean } {
  return { ofBoard: board !== undefined, textScreens: json?.includes("vc:80Cx24C") === true };
}
