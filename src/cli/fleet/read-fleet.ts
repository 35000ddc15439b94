import { askDomains } from "../../remote/fleet/ask-fleet.ts";
import { addressOf, readdressed } from "../../remote/readdress.ts";
import { EXIT } from "../exit-code.ts";
import { evidenceOf, wording } from "../failure.ts";
import { flow, painter } from "../output.ts";
import type { Io } from "../verb.ts";
import { captured } from "./captured.ts";
import { exitCodeOfReading, type FleetCall } from "./fleet-call.ts";
import { FleetProgressLine } from "./fleet-progress.ts";
import { foldTargets, groupBy, type Whose } from "./fold-targets.ts";
import { NOBODY } from "./nobody.ts";
import { openWords, toldTogether } from "./words-of-target.ts";

/** What a verb answered of one target, as it prints it. */
interface Answered {
  readonly text: string;
  /** What it said on stderr, if it did not end well. */
  readonly trouble?: string;
}

/** Verbs that print what a machine says, or a file of it, as it is. */
const ANSWERS: ReadonlySet<string> = new Set(["config", "qmp", "types"]);

/** Runs a verb that reads over a fleet. Equal answers stand once, below the names of all that gave it. */
export async function readFleet(call: FleetCall): Promise<number> {
  const { crew, io, args, verb, name, callFor, stdin, how, domain: meant } = call;
  // Then 1 means that something differs, and is no trouble.
  const tellsDifference = args.flag("exit-code" as never);
  let differs = false;
  using line = new FleetProgressLine(io);
  const { answers, unmatched } = await askDomains(
    crew,
    meant,
    async (domain, { member }): Promise<Answered> => {
      const own = captured(io, stdin);
      const facade = { ...NOBODY, open: async () => domain };
      const code = await verb.run(callFor(domain.name, facade, own.io));
      const words = (text: string): string => readdressed(text, addressOf(member.address, domain.name), domain.name);
      const text = ANSWERS.has(name) ? own.answer.text : words(own.answer.text);
      const isDifference = code === EXIT.failed && tellsDifference;
      if (isDifference) differs = true;
      return code === EXIT.done || isDifference ? { text } : { text, trouble: words(own.words.text.trim().replace(/^qmpctl: /, "")) };
    },
    { ...how.many, signal: io.signal, onProgress: (done, of) => line.show(`${done} of ${of} hosts asked`) },
  );
  line[Symbol.dispose]();
  const addresses = new Map(crew.members.map((member) => [member.name, member.address]));
  const told = answers.map(({ host, domain, value, error }): Told => ({
    host,
    domain,
    address: addresses.get(host) ?? host,
    ...(value === undefined ? {} : { text: value.text }),
    ...(error === undefined ? (value?.trouble === undefined ? {} : { trouble: value.trouble }) : { error, trouble: wording(error) }),
  }));
  if (args.flag("json")) io.stdout.write(`${jsonOf(told)}\n`);
  else show(told, io);
  sayTrouble(told, io, unmatched);
  const code = exitCodeOfReading(
    io,
    told.some(({ trouble }) => trouble !== undefined),
  );
  return !tellsDifference || io.signal.aborted ? code : code === EXIT.failed ? EXIT.refused : differs ? EXIT.failed : code;
}

/** One target's answer, or trouble, or both. */
export interface Told extends Whose {
  /** As its host is reached; its name unless told. */
  readonly address?: string;
  readonly text?: string;
  readonly error?: Error;
  readonly trouble?: string;
}

/** A list with each target's answer as the verb prints it for programs: nothing of a large number is lost on the way. */
function jsonOf(told: readonly Told[]): string {
  const members = told.map(({ host, domain, text, error, trouble }) => {
    const failure = error !== undefined ? evidenceOf(error) : trouble === undefined ? undefined : { message: trouble };
    const whose = JSON.stringify({ host, domain, ...(failure === undefined ? {} : { error: failure }) });
    return text === undefined ? whose : `${whose.slice(0, -1)},"value":${valueIn(text)}}`;
  });
  return `[${members.join(",")}]`;
}

function valueIn(text: string): string {
  try {
    JSON.parse(text);
    return text.trim();
  } catch {
    return JSON.stringify(text);
  }
}

function show(told: readonly Told[], io: Io): void {
  const paint = painter(io.stdout, io.env);
  const answered = told.filter((each): each is Told & { readonly text: string } => each.text !== undefined);
  const blocks = groupBy(answered, ({ text }) => text).map((alike) => {
    const heading = flow(`${foldTargets(alike)}:`, io.stdout.columns);
    return `${paint(heading.trimEnd(), "bold")}\n${alike[0]?.text ?? ""}`;
  });
  io.stdout.write(blocks.join("\n"));
}

/** Says who did not answer, and why: what is the same for many stands once. */
export function sayTrouble(told: readonly Told[], io: Io, unmatched: readonly string[] = []): void {
  const { columns } = io.stderr;
  const troubled = told.flatMap(({ trouble, host, domain, address = host }) => {
    const whose = { host, domain, address };
    return trouble === undefined ? [] : [{ ...whose, text: anonymous(trouble, whose) }];
  });
  if (io.signal.aborted) io.stderr.write(flow(`qmpctl: ${(io.signal.reason as Error).message}`, columns));
  for (const alike of io.signal.aborted ? [] : groupBy(troubled, (each) => openWords(each.text, each, each.address)))
    io.stderr.write(flow(`qmpctl: ${foldTargets(alike)}: ${toldTogether(alike)}`, columns));
  if (unmatched.length > 0)
    io.stderr.write(flow(`note: no such domain on ${foldTargets(unmatched.map((host) => ({ host, domain: null })))}`, columns));
}

/** A message without the name that it begins with. */
export function anonymous(text: string, { host, domain, address = host }: Whose & { readonly address?: string }): string {
  const name = [host, address, domain ?? host].find((each) => text.startsWith(`${each}: `));
  return name === undefined ? text : text.slice(name.length + 2);
}
