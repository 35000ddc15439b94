/// <reference lib="esnext.disposable" />
import { access } from "node:fs/promises";
import { join } from "node:path";
import { bootArgs, type GuestConsole, type GuestReport, openConsole } from "../lab/guest.ts";
import { testbedFolder } from "../lab/machine.ts";
import { near } from "../lab/scene.ts";
import { agentOf, type Cast, type GuestState, type GuestVoice, MIB, openStage, type Setting, type Stage } from "./stage.ts";

/** The most memory that the guest's kernel keeps for itself, at the sizes of the scenarios. */
const KEPT = 72 * MIB;

/** How long the guest may take to report its values, in milliseconds. */
const PATIENCE = 20_000;

/** A stage with a real machine and the testbed's Linux guest. Closing it closes the guest's serial line. */
export async function openRealStage(setting: Setting, machine: Cast["machine"], major: number): Promise<Stage & AsyncDisposable> {
  await access(join(testbedFolder(), "guest", "vmlinuz")).catch((cause: unknown) => {
    throw new Error("there is no Linux guest yet: npm run testbed", { cause });
  });
  const console = await openConsole(machine.folder);
  const { hasAgent, ...guest } = setting.guest ?? {};
  const args = [...bootArgs(hasAgent === true ? { ...guest, agent: agentOf(machine) } : guest), ...console.args];
  const file = (name: string): string => join(testbedFolder(), "guest", name);
  const stage = await openStage(setting, {
    machine,
    major,
    args,
    guest: new RealGuest(console),
    guestFiles: { vmlinuz: file("vmlinuz"), "initrd.gz": file("initrd.gz") },
  });
  return { ...stage, [Symbol.asyncDispose]: () => console[Symbol.asyncDispose]() };
}

class RealGuest implements GuestVoice {
  readonly #console: GuestConsole;
  #starts = 0;
  /** The bytes of memory that it had when it was up. */
  #atFirst = 0;

  constructor(console: GuestConsole) {
    this.#console = console;
  }

  async booted(): Promise<void> {
    this.#starts += 1;
    await this.#console.booted(this.#starts);
    this.#atFirst = (await this.#console.next()).memTotal;
  }

  async until({ cpus, memory, more }: GuestState): Promise<void> {
    const wanted = (it: GuestReport): boolean =>
      (cpus === undefined || it.cpus === cpus) &&
      (memory === undefined || sees(it.memTotal, memory)) &&
      (more === undefined || near(it.memTotal, this.#atFirst + more));
    let report = await this.#console.until(wanted, { timeout: PATIENCE });
    // A moving balloon may pass the wanted value. It is there only if it stays.
    for (let before: GuestReport | undefined; (memory ?? more) !== undefined && before?.memTotal !== report.memTotal;) {
      before = report;
      report = await this.#console.next();
    }
    if (!wanted(report)) {
      const sizes = `${memory ?? "any"}${more === undefined ? "" : `, ${more} more than ${this.#atFirst},`}`;
      throw new Error(`the guest reports ${report.cpus} CPUs and ${report.memTotal} bytes where ${cpus ?? "any"} and ${sizes} are wanted`);
    }
  }
}

function sees(total: number, given: number): boolean {
  return total < given && total > given - KEPT;
}
