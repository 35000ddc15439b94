import { lstatSync } from "node:fs";
import { listNames } from "../../../config/config-folder.ts";
import { uuidOf } from "../../../config/machine-uuid.ts";
import type { Mark } from "../../../config/mark.ts";
import { ownUid } from "../../../config/own-user.ts";
import { readConfig } from "../../../config/store.ts";
import { statusAt } from "../../../file-status.ts";
import { findProcesses, folderOfProcess, type Process } from "../../../host/processes.ts";
import { userNames } from "../../../host/user-names.ts";
import { readWords } from "../../machine/command-line.ts";
import { findMachine } from "../../machine/find.ts";
import { idIn } from "../../machine/machine-id.ts";
import { domainFolders, type DomainOptions, placeOf } from "../../machine/place.ts";
import { type Keeper, keeperOf, tracesOf } from "../../machine/running/keeper.ts";
import { monitorsOf } from "../../machine/running/monitors.ts";
import { mayBeQemu, mayBeText, programRunBy } from "../../machine/running/qemu-program.ts";
import { type Found, innermost, isItsPidfile } from "../../machine/verdict.ts";
import { adviceFor } from "./advice.ts";
import type { RunningQemu } from "./running-qemu.ts";

/**
 * Every QEMU that runs on this host, whoever started it, by process id, and what can be done with it. It is all read from /proc: none is
 * asked, and none notices. Under another user than root, what /proc does not show of other users' processes is not known.
 *
 * @throws ConfigError when the config folder can't be read
 */
export async function listRunning(options: DomainOptions = {}): Promise<readonly RunningQemu[]> {
  const processes = await findProcesses(mayBeText);
  const [found, domains] = await Promise.all([qemusAmong(processes), domainsOf(options)]);
  const names = await userNames(found.map(({ process }) => process.uid));
  return Promise.all(found.map((each) => describe(each, { names, domains })));
}

interface Seen extends Found {
  readonly isUnseen: boolean;
}

/** Those of the processes that run QEMU, each machine once: not the programs that started it, or that it is about to become. */
async function qemusAmong(processes: readonly Process[]): Promise<readonly Seen[]> {
  const runs = await Promise.all(
    processes.filter(mayBeQemu).map(async (process) => ({ process, runs: await programRunBy(process), words: await wordsOf(process) })),
  );
  const all = runs.filter((each) => each.runs !== "other");
  const inner = innermost(all);
  const parents = new Set(inner.map(({ process }) => process.parent));
  return all
    .filter((each) => inner.includes(each) && !parents.has(each.process.pid))
    .map(({ process, words, runs: it }) => ({ process, words, isUnseen: it === "unseen" }));
}

async function wordsOf({ pid, argv }: Process): Promise<Found["words"]> {
  return readWords(argv, await folderOfProcess(pid));
}

/** The domains of the config folder that run, by their processes. A config that can't be read has none. */
async function domainsOf(options: DomainOptions): Promise<ReadonlyMap<number, string>> {
  const names = await listNames(domainFolders(options));
  const found = names.map(async (name): Promise<readonly (readonly [number, string])[]> => {
    const place = await placeOf(name, options);
    if (place.config === null) return [];
    const { machine } = await findMachine(place, await readConfig(place.config));
    return machine?.pid == null ? [] : [[machine.pid, name]];
  });
  return new Map((await Promise.allSettled(found)).flatMap((each) => (each.status === "fulfilled" ? each.value : [])));
}

interface Around {
  readonly names: ReadonlyMap<number, string>;
  readonly domains: ReadonlyMap<number, string>;
}

async function describe({ process, words, isUnseen }: Seen, { names, domains }: Around): Promise<RunningQemu> {
  const { pid, uid } = process;
  const domain = domains.get(pid) ?? (await domainElsewhere(words.mark));
  const other = domain === undefined ? keeperOf(process, words, tracesOf(process)) : null;
  const monitors = await monitorsOf(process, words);
  const seen = {
    ...{ pid, uid, user: names.get(uid) ?? null, name: words.name, uuid: uuidOf(words.options), monitors },
    ...(domain === undefined
      ? keptBy(other)
      : { keeper: "qmpctl" as const, keptAs: domain, proofs: [OURS], isSure: domains.has(pid) || !isHidden(domain) }),
    ...(isUnseen ? { programUnseen: true as const } : {}),
  };
  const can = domain !== undefined ? "domain" : await whatCanBeDone(process, words, other !== null);
  return { ...seen, can, advice: adviceFor({ ...seen, can }) };
}

const OURS = "its config";

/**
 * A machine is its config's owner's, so each user adopts their own: also a QEMU that has given up its rights since, which is known by its
 * pidfile.
 */
async function whatCanBeDone(process: Process, words: Found["words"], isKept: boolean): Promise<RunningQemu["can"]> {
  const own = ownUid();
  if (isKept) return process.uid === own || own === 0 ? "force" : "another-users";
  return process.uid === own || (await isItsPidfile(process, words)) ? "adopt" : "another-users";
}

function keptBy(keeper: Keeper | null): Pick<RunningQemu, "keeper" | "keptAs" | "proofs" | "isSure"> {
  if (keeper === null) return { keeper: null, keptAs: null, proofs: [], isSure: true };
  return { keeper: keeper.by, keptAs: keeper.name, proofs: keeper.proofs, isSure: keeper.isSure };
}

/** The config that a mark names, if it is still that of this machine. It may be another user's, which we may not read. */
async function domainElsewhere(mark: Mark | undefined): Promise<string | undefined> {
  if (mark === undefined) return undefined;
  if (isHidden(mark.path)) return mark.path;
  if (statusAt(mark.path)?.isFile() !== true) return undefined;
  const id = await idIn(mark.path);
  return id === undefined || id === mark.id ? mark.path : undefined;
}

/** Whether we may not look what is at a path, as in another user's folder: nobody can say then that nothing is there. */
function isHidden(path: string): boolean {
  try {
    lstatSync(path);
    return false;
  } catch (error) {
    return !["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
}
