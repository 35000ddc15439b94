#!/usr/bin/env -S npx tsx
/** Feeds random input to the framing, the session and the fake. */
import { parseArgs } from "node:util";
import { fuzz, TARGETS } from "./fuzz/run.ts";

const HELP = `usage: npm run fuzz -- [options] [TARGET...]

Runs random cases until the time is over or one fails. If one fails, it prints the seed and the command to run it again.
Targets: ${TARGETS.map(({ name }) => name).join(" ")} (default: all).

  --seconds N   the time for all targets together (default: 30)
  --seed S      the first seed (default: random); the next case has seed S+1, and so on
  --cases N     this many cases for each target, instead of a time
  --help`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: "string" }, seed: { type: "string" }, cases: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) return (console.log(HELP), 0);
  const [seconds, seed, cases] = [
    number(values.seconds, 30),
    number(values.seed, Math.floor(Math.random() * 2 ** 30)),
    number(values.cases, 0),
  ];
  const wrong = positionals.find((name) => !TARGETS.some((it) => it.name === name));
  if (wrong !== undefined || [seconds, seed, cases].includes(Number.NaN))
    return (console.error(`${wrong === undefined ? "not a whole number" : `no such target: ${wrong}`}\n${HELP}`), 2);
  const targets = TARGETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  let failed = 0;
  for (const target of targets) {
    const { cases: tried, failure } = await fuzz(target, seed, cases > 0 ? { cases } : { milliseconds: (seconds * 1000) / targets.length });
    console.log(`${target.name}: ${tried} cases from seed ${seed}${failure === undefined ? "" : `, FAILED with seed ${failure.seed}`}`);
    if (failure === undefined) continue;
    failed += 1;
    console.log(failure.error, `\nagain: npm run fuzz -- ${target.name} --seed ${failure.seed} --cases 1`);
  }
  return failed > 0 ? 1 : 0;
}

function number(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  return /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
}

try {
  // A hanging case must not keep the process alive.
  process.exit(await main());
} catch (error) {
  console.error(`fuzz: ${error instanceof Error ? error.message : String(error)}`);
  process.exit((error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1);
}
