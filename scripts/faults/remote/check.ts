import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Report } from "../../../src/domain/change/change-report.ts";
import { messageOf } from "../../../src/errors.ts";
import { Broken, checkChange, isWanted, show } from "../check.ts";
import { baseOf, type Look, unpinned, valuesIn } from "../rig.ts";
import { askAgain, type Tried } from "./faults.ts";
import { oursOn, until } from "./machine.ts";
import type { Stage, Told } from "./stage.ts";
import { disarm } from "./steps.ts";

/** Both halves before the change, and the config that it would write. */
export interface Before {
  readonly text: string;
  readonly look: Look | null;
  readonly after: string;
}

/** What is kept there of a call, as `qmpctl outcome` tells it. */
interface Outcome {
  readonly state: string;
  readonly value?: unknown;
  readonly failure?: { readonly message: string; readonly evidence?: { readonly report?: Report } };
}

/** How long a far end may be there after its near end has ended: as long as the change may take, and be undone, and a silence. */
const LONGEST = 60_000;

/**
 * After the fault: the machine and the config by an independent look, what the near end was told, and what the host keeps agree; nothing of
 * ours is left there, no lock is held, and the same key never does it twice. Then brings the domain back to its base.
 *
 * @throws Broken for a promise that did not hold
 */
export async function checkFar(stage: Stage, before: Before, tried: Tried, how: "finish" | "undo"): Promise<void> {
  const { machine, host } = stage;
  await tried.repair?.();
  disarm(stage);
  await until(async () => (await oursOn(host)).length === 0, "no process of ours is left", LONGEST).catch(async () => {
    throw new Broken(`left on the host: ${(await oursOn(host)).map(({ command }) => command.slice(0, 80)).join("; ")}`);
  });
  await checkLocks(stage);
  const [text, look] = await Promise.all([readFile(machine.configPath, "utf8"), machine.look()]);
  const seen = { text, look };
  const key = tried.heard.call?.["key"];
  const outcome = typeof key === "string" ? await outcomeOf(stage, key) : undefined;
  checkTold(machine, before, { ...seen, told: tried.told });
  checkOutcome(before, { ...seen, told: tried.told, outcome, machine });
  if (tried.twin !== undefined) checkTwin(outcome, tried.twin);
  if (outcome !== undefined) await checkAgain(stage, tried, outcome);
  await resolve(stage, before, { how, outcome });
}

type Seen = Pick<Before, "text" | "look"> & { readonly told: Told };

/** Whether nothing differs from what was before the change. */
function isUntouched(before: Before, { text, look }: Pick<Before, "text" | "look">): boolean {
  return text !== before.after && (look === null || show(look) === show(before.look));
}

function isLost({ error }: Told): boolean {
  return error?.["code"] === "closed" && "host" in error;
}

/** The exit code and the report against the look. */
function checkTold(machine: Stage["machine"], before: Before, { text, look, told }: Seen): void {
  const { code, report, stderr } = told;
  if (stderr.includes("internal error")) throw new Broken(stderr);
  if (code !== null && ![0, 1, 3, 4, 5, 130].includes(code)) throw new Broken(`exit ${code}: ${stderr}`);
  for (const change of report?.changes ?? [])
    checkChange(change, { text, look, before, deaf: look === null, notes: report?.notes.join("; ") ?? "" });
  if (code === 0 && !(text === before.after && (look === null || isWanted(machine, look))))
    throw new Broken(`exit 0, and it is ${show(look)} with\n${text}`);
  if ((code === 1 || code === 3 || code === 130) && !isUntouched(before, { text, look }))
    throw new Broken(`exit ${code}, and it is ${show(look)}, not ${show(before.look)}, with\n${text}\n${stderr}`);
  if ((code === 4 || code === 5) && report === undefined && !isLost(told)) throw new Broken(`exit ${code} without a report: ${stderr}`);
}

/** What is kept against the look, and against what was told. */
function checkOutcome(
  before: Before,
  { text, look, told, outcome, machine }: Seen & { readonly outcome: Outcome | undefined; readonly machine: Stage["machine"] },
): void {
  const { code, report, stderr } = told;
  const state = outcome?.state ?? "unknown";
  const says = `the outcome is ${state}, and the near end ended with ${code}: ${stderr}`;
  const isHonest = code === null || /is not known/.test(stderr);
  const untouched = isUntouched(before, { text, look });
  const kept = state === "done" ? (outcome?.value as Report) : outcome?.failure?.evidence?.report;
  if (state === "unknown") {
    if (!untouched) throw new Broken(`${says}; and it is ${show(look)} with\n${text}`);
    if (!isHonest && code !== 3 && code !== 130 && code !== 1) throw new Broken(says);
  } else if (state === "interrupted") {
    if (!isHonest && !(isLost(told) && code === 4 && /recover/.test(stderr))) throw new Broken(says);
  } else if (state === "done" || state === "failed") {
    if (report !== undefined && !isDeepStrictEqual(report, kept) && !isShort(outcome)) throw new Broken(`${says}; another report is kept`);
    if (report === undefined && !isHonest && !(state === "failed" && untouched)) throw new Broken(says);
    for (const change of kept?.changes ?? [])
      checkChange(change, { text, look, before, deaf: look === null, notes: kept?.notes.join("; ") ?? "" });
    if (state === "failed" && kept === undefined && !untouched) throw new Broken(`${says}; nothing says what became of it`);
    if (kept?.outcome === "applied" && look !== null && !(text === before.after && isWanted(machine, look))) throw new Broken(says);
  } else throw new Broken(says);
}

/** Whether there was no room to keep the report itself. */
function isShort(outcome: Outcome | undefined): boolean {
  return outcome?.state === "done" ? outcome.value === null : outcome?.failure?.evidence?.report === undefined;
}

function checkTwin(outcome: Outcome | undefined, twin: unknown): void {
  if (outcome?.state !== "done") throw new Broken(`of two with one key, the outcome is ${outcome?.state}`);
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(twin)), strip(outcome.value)) && !isDeepStrictEqual(twin, outcome.value))
    throw new Broken(`two with one key were answered differently: ${messageOf(twin)} ${JSON.stringify(twin).slice(0, 200)}`);
}

/** The near end writes commands as they are typed here; on the wire they are as they are typed there. */
function strip(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/ssh:\/\/host\d+\/web/g, "web"));
}

async function outcomeOf(stage: Stage, key: string): Promise<Outcome> {
  const near = stage.begin("-H", stage.host.name, "outcome", key, "--json");
  let isOver = false;
  void near.ended.finally(() => (isOver = true));
  await until(async () => isOver, "the outcome", LONGEST).catch(() => {
    near.process.kill("SIGKILL");
    throw new Broken("what became of it is not told within a minute");
  });
  const { json, stdout, stderr } = await near.ended;
  if (typeof (json as Outcome | undefined)?.state !== "string") throw new Broken(`outcome: ${stdout}${stderr}`);
  return json as Outcome;
}

/** The lock of the machine, and of each key, by flock(1) there. */
async function checkLocks({ host, state }: Stage): Promise<void> {
  const names = (await readdir(state, { recursive: true })).filter((name) => /(^|\/)lock$|\.lock$/.test(name));
  for (const name of names)
    await host.exec("flock", "-n", join(host.folder, "state", name), "true").catch(() => {
      throw new Broken(`the lock ${name} is held by nobody who lives`);
    });
}

const EFFECTS = ["device_add", "device_del", "block_set_io_throttle", "balloon"];

/** The same key once more: what was done is not done again; what never began is done now. */
async function checkAgain(stage: Stage, { heard, edited }: Tried, outcome: Outcome): Promise<void> {
  const { machine } = stage;
  const before = await Promise.all([readFile(machine.configPath, "utf8"), machine.look()]);
  const effects: string[] = [];
  machine.proxy.arm(({ from, command }) => {
    if (from === "client" && EFFECTS.includes(command)) effects.push(command);
    return undefined;
  });
  const answer = await askAgain(stage, heard);
  machine.proxy.arm(undefined);
  const [text, look] = await Promise.all([readFile(machine.configPath, "utf8"), machine.look()]);
  if (outcome.state === "unknown") {
    const isDone = (answer as Partial<Report>).outcome === "applied" && look !== null && isWanted(machine, look);
    if (!isDone && look !== null && edited === undefined) throw new Broken(`what never began was asked for again: ${messageOf(answer)}`);
    return;
  }
  if (effects.length > 0 || text !== before[0] || show(look) !== show(before[1]))
    throw new Broken(`the same key did it again (${effects.join(", ")}): ${messageOf(answer)}`);
}

/** Resolves what was interrupted, and brings both halves back to where they were. */
async function resolve(
  stage: Stage,
  before: Before,
  { how, outcome }: { how: "finish" | "undo"; outcome: Outcome | undefined },
): Promise<void> {
  const { machine, host, folder } = stage;
  const qmpctl = async (...words: readonly string[]): Promise<Told> => stage.begin("-H", host.name, ...words).ended;
  const isPending = (await readdir(stage.state, { recursive: true })).some((name) => name.endsWith("/journal"));
  if (isPending && outcome?.state !== "interrupted") throw new Broken(`the outcome is ${outcome?.state}, and a change was interrupted`);
  if (isPending) {
    const { code, stderr } = await qmpctl("recover", "web", `--${how}`, "--force", "--timeout", "20s", "--json");
    if (code !== 0) throw new Broken(`recover --${how}: exit ${code}: ${stderr}`);
    const [text, look] = await Promise.all([readFile(machine.configPath, "utf8"), machine.look()]);
    const isRight = how === "finish" ? text === before.after : text === before.text;
    const isThere = look === null || (how === "finish" ? isWanted(machine, look) : show(look) === show(before.look));
    if (!isRight || !isThere) throw new Broken(`after recover --${how} it is ${show(look)} with\n${text}`);
  }
  if ((await machine.look()) === null) return;
  const base = join(folder, "base.json");
  await writeFile(base, JSON.stringify({ ...baseOf(machine), devices: undefined }));
  const back = await qmpctl("apply", "web", base, "--static", "--dynamic", "--force", "--json");
  if (back.code !== 0) throw new Broken(`the next command: exit ${back.code}: ${back.stderr}`);
  // Of a vCPU that is gone by now, only the config has the pin.
  const pins = unpinned(machine);
  if (pins !== null) {
    const file = join(folder, "pins.json");
    await writeFile(file, JSON.stringify(pins));
    const bare = await qmpctl("apply", "web", file, "--static", "--json");
    if (bare.code !== 0) throw new Broken(`the next command: exit ${bare.code}: ${bare.stderr}`);
  }
  const [text, look] = await Promise.all([readFile(machine.configPath, "utf8"), machine.look()]);
  if (show(look) !== show(before.look) || JSON.stringify(valuesIn(text)) !== JSON.stringify(valuesIn(before.text)))
    throw new Broken(`after the next command it is ${show(look)} with\n${text}`);
}
