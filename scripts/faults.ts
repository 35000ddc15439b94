#!/usr/bin/env -S npx tsx
/** Injects faults into changes, one at each step, on a fake and on real QEMUs, and checks the promises of qmpctl. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../src/errors.ts";
import { tryEndsOn } from "./faults/ends-host.ts";
import { openFake } from "./faults/fake-rig.ts";
import { randomKills } from "./faults/kills.ts";
import { lifecycleKills, lifecycleSteps } from "./faults/lifecycle.ts";
import { type Course, onFake, onReal } from "./faults/matrix.ts";
import { runOnFakes } from "./faults/model-fakes.ts";
import { OLD_CHOICES, REAL_CHOICES, runSequences } from "./faults/model-run.ts";
import { openReal } from "./faults/real-rig.ts";
import { tryFleet } from "./faults/remote/fleet.ts";
import { onHosts } from "./faults/remote/matrix.ts";
import { tryVm } from "./faults/remote/vm.ts";
import type { Outcome } from "./faults/run.ts";
import { printTables } from "./faults/table.ts";
import { tasksOnFake, tasksOnReal } from "./faults/task-matrix.ts";
import { tryUnits } from "./faults/units.ts";
import { missingForHosts } from "./lab/hosts.ts";
import { type Qemu, qemus, testbedFolder } from "./lab/machine.ts";

const HELP = `usage: npm run faults -- [options]

Changes memory, vCPUs and a pin in both halves with the command line, injects a fault at one step, and checks three things:
  - The exit code and the report agree with an independent look at QEMU, /proc and the config file.
  - The config is the old one or the new one, byte for byte.
  - The next command works, or says why not, and recover does what it says.
Then the same with the tasks of tasks.ts, which change everything else. At each of their commands, tools and files, QEMU or the host
refuses, the connection breaks, the command is interrupted or killed, QEMU is killed, or the config is edited.
Without options, a part of it: on a fake all steps of the change and an eleventh of the tasks', on the newest real QEMU fewer.

  --fake          only on the fake: all of it
  --qemu SUITE    only on this real QEMU: installed, a suite of npm run testbed, or all
  --only WORD     only faults with this in their name
  --step WORD     only at this step
  --all           all of it, on the fake and on every real QEMU, or on those of --qemu
  --remote        instead: a change of a machine on another host, over a real ssh, and faults of the connection, of both ends and
                  of the host, at each step; takes root (--lanes N: on so many hosts at once, 3 by default)
  --vm            instead: changes over ssh on a real Debian with systemd, whose sessions and whose power end in the middle; then
                  machines that start with it (--only units: just these); see npm run testbed -- --host
  --ends          instead: kill a change that ends by itself at each of its steps, on the newest QEMU (or --qemu); all timers then fire
  --fleet N       instead: a change of N hosts at once, with a fake machine each; three of them dead, one far end killed, Ctrl-C; root
  --kills N       instead: kill N changes at random moments, finish half of them, undo the others
  --lifecycle N   instead: kill or interrupt N starts, restarts, shutdowns, destroys, defines and undefines on a real QEMU at
                  random moments
  --sequences N   instead: compare N random sequences of changes and mishaps with a model
  --seed N        the seed of the moments, or of the first sequence (default: a new one, which is printed); of the part (default: 1)
  --help`;

interface Options {
  readonly real: readonly Qemu[];
  readonly fake: boolean;
  readonly all: boolean;
  /** Of the part that is taken of the tasks; null: all of them. */
  readonly seed: number | null;
  readonly wanted: (fault: string, step: string) => boolean;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      fake: { type: "boolean", default: false },
      qemu: { type: "string" },
      only: { type: "string", default: "" },
      step: { type: "string", default: "" },
      all: { type: "boolean", default: false },
      remote: { type: "boolean", default: false },
      fleet: { type: "string" },
      vm: { type: "boolean" },
      ends: { type: "boolean" },
      lanes: { type: "string", default: "3" },
      kills: { type: "string" },
      lifecycle: { type: "string" },
      sequences: { type: "string" },
      seed: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return (console.log(HELP), 0);
  const found = values.fake ? [] : await qemus();
  const real = found.filter(({ suite }) => values.qemu === undefined || values.qemu === "all" || suite === values.qemu);
  if (values.qemu !== undefined && real.length === 0) return (console.error(`faults: no QEMU of ${values.qemu} here: npm run testbed`), 2);
  const fake = values.fake || values.qemu === undefined;
  if (values.kills !== undefined)
    return killAtRandom(Number(values.kills), Number(values.seed ?? Date.now() % 2 ** 31), values.fake ? undefined : real.at(-1));
  if (values.lifecycle !== undefined)
    return killLifecycles(
      Number(values.lifecycle),
      Number(values.seed ?? Date.now() % 2 ** 31),
      values.qemu === undefined ? real.slice(-1) : real,
    );
  if (values.sequences !== undefined)
    return sequences(
      Number(values.sequences),
      Number(values.seed ?? Date.now() % 2 ** 31),
      values.fake || values.qemu === undefined ? undefined : real.at(-1),
    );
  if (values.vm === true) {
    const image = join(testbedFolder(), "host");
    if (!existsSync(image)) return (console.error("faults: no Debian to boot here: npm run testbed -- --host"), 2);
    if (values.only !== "units") await tryVm(image, console.log);
    return await held(tryUnits(image, console.log));
  }
  if (values.ends === true) {
    for (const qemu of values.qemu === undefined ? real.slice(-1) : real) {
      const code = await held(tryEndsOn(qemu, console.log));
      if (code !== 0) return code;
    }
    return 0;
  }
  if (values.fleet !== undefined) return await held(tryFleet(Number(values.fleet), console.log));
  const wanted = (fault: string, step: string): boolean => fault.includes(values.only) && (values.step === "" || step === values.step);
  if (values.remote)
    return remote(
      values.qemu === undefined ? real.filter((each) => each.suite === "installed" || each === real.at(-1)) : real,
      wanted,
      Number(values.lanes),
    );
  // The short run takes only the newest QEMU.
  const chosen = values.qemu === undefined && !values.all ? real.slice(-1) : real;
  return matrix({
    real: chosen,
    fake,
    all: values.all,
    seed: values.all || values.fake || values.only !== "" || values.step !== "" ? null : Number(values.seed ?? 1),
    wanted,
  });
}

async function sequences(count: number, seed: number, qemu: Qemu | undefined): Promise<number> {
  if (qemu === undefined) return (await runOnFakes(count, seed)) ? 0 : 1;
  const replugs = qemu.major >= 10;
  return (await runSequences(count, seed, () => openReal(qemu), {
    reopen: replugs ? 6 : 20,
    length: 6,
    choices: replugs ? REAL_CHOICES : OLD_CHOICES,
    lanes: 1,
  }))
    ? 0
    : 1;
}

async function killAtRandom(count: number, seed: number, qemu: Qemu | undefined): Promise<number> {
  const outcomes = await randomKills(count, seed, () => (qemu === undefined ? openFake() : openReal(qemu)));
  return outcomes.every(({ result }) => result !== "broken") ? 0 : 1;
}

async function killLifecycles(count: number, seed: number, real: readonly Qemu[]): Promise<number> {
  let broken = 0;
  for (const qemu of real) {
    const outcomes = await lifecycleKills(count, seed, qemu);
    const by = (result: Outcome["result"]): number => outcomes.filter((outcome) => outcome.result === result).length;
    console.log(
      `QEMU ${qemu.version}: ${count} lifecycles (seed ${seed}): ${by("held")} hit and held, ${by("not reached")} done before, ${by("broken")} not held`,
    );
    broken += by("broken");
  }
  return broken === 0 ? 0 : 1;
}

/** The exit code of a trial that says itself what it finds. */
function held(trial: Promise<void>): Promise<number> {
  return trial.then(
    () => 0,
    (error: unknown) => (console.error(`NOT HELD: ${messageOf(error)}`), 1),
  );
}

/** Notes each outcome, and says at once what was not held. */
function noteIn(outcomes: Outcome[]): (outcome: Outcome) => void {
  return (outcome) => {
    outcomes.push(outcome);
    if (outcome.result === "broken")
      console.error(
        `NOT HELD: ${outcome.machine}: ${outcome.fault} at ${outcome.task === undefined ? "" : `${outcome.task}: `}${outcome.step}: ${outcome.why}`,
      );
  };
}

async function remote(real: readonly Qemu[], wanted: Options["wanted"], lanes: number): Promise<number> {
  const missing = await missingForHosts();
  if (missing.length > 0) return (console.error(`faults: no hosts here: ${missing.join(", ")} missing; npm run testbed -- --hosts`), 2);
  const start = performance.now();
  const outcomes: Outcome[] = [];
  for (const qemu of real) await onHosts(qemu, { wanted, lanes, note: noteIn(outcomes) });
  return sum(outcomes, start);
}

async function matrix({ real, fake, all, seed, wanted }: Options): Promise<number> {
  const start = performance.now();
  const outcomes: Outcome[] = [];
  const note = noteIn(outcomes);
  const course: Course = { all, wanted, note };
  const share = { wanted, seed };
  const onFakes = async (): Promise<void> => {
    await onFake(course);
    await tasksOnFake(share, note);
  };
  const onReals = async (): Promise<void> => {
    for (const qemu of real) {
      await onReal(qemu, course);
      await tasksOnReal(qemu, share, note);
      await lifecycleSteps(qemu, course);
    }
  };
  // Beside each other: a real guest is mostly waited for.
  await Promise.all([...(fake ? [onFakes()] : []), onReals()]);
  return sum(outcomes, start);
}

/** Prints what was tried, and how it went. Resolves with the exit code. */
function sum(outcomes: readonly Outcome[], start: number): number {
  printTables(outcomes);
  const held = outcomes.filter(({ result }) => result === "held").length;
  const broken = outcomes.filter(({ result }) => result === "broken").length;
  const lost = outcomes.reduce((sum, outcome) => sum + (outcome.lost ?? 0), 0);
  if (lost > 0) console.log(`\n${lost} machines were lost because of bugs in QEMU; their faults were tried on other machines`);
  console.log(
    `\n${outcomes.length} faults tried, ${held} held, ${broken} not held, ${outcomes.length - held - broken} at steps that the change does not have; ${Math.round((performance.now() - start) / 1000)} s`,
  );
  return broken === 0 && held > 0 ? 0 : 1;
}

process.exitCode = await main();
