/// <reference lib="esnext.disposable" />
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

/** The guest's report, once a second. Sizes are in bytes. */
export interface GuestReport {
  readonly cpus: number;
  readonly memTotal: number;
  readonly memFree: number;
}

/** How long to wait for the guest, in milliseconds. */
export interface Patience {
  readonly timeout?: number;
}

/**
 * Listens for serial lines of guests at `<folder>/console.sock`. QEMU connects at its start, even in the background, so no line is missed.
 * One console serves a machine through all its restarts.
 */
export async function openConsole(folder: string): Promise<GuestConsole> {
  const path = join(folder, "console.sock");
  const console = new GuestConsole(path);
  await console.listen();
  return console;
}

/** The serial line of a guest. */
export class GuestConsole implements AsyncDisposable {
  /** QEMU's arguments to connect here. */
  readonly args: readonly string[];
  readonly #path: string;
  readonly #server = createServer((socket) => this.#accept(socket));
  readonly #open = new Set<Socket>();
  readonly #listeners = new Set<() => void>();
  /** The lines of all boots. `#start` is the first line of this boot. */
  readonly #lines: string[] = [];
  #start = 0;
  #boots = 0;

  constructor(path: string) {
    this.#path = path;
    this.args = ["-chardev", `socket,id=console0,path=${path}`, "-serial", "chardev:console0"];
  }

  async listen(): Promise<void> {
    await once(this.#server.listen(this.#path), "listening");
  }

  /** How many QEMUs have connected. A reboot inside the same QEMU does not count. */
  get boots(): number {
    return this.#boots;
  }

  /** The lines since the last QEMU connected. */
  get lines(): readonly string[] {
    return this.#lines.slice(this.#start);
  }

  /** The first matching line of this boot, or from now on. */
  says(pattern: RegExp, options: Patience & { readonly since?: "boot" | "now" } = {}): Promise<RegExpMatchArray> {
    const from = options.since === "now" ? this.#lines.length : undefined;
    const look = (): RegExpMatchArray | undefined =>
      firstOf(this.#lines.slice(from ?? this.#start), (line) => line.match(pattern) ?? undefined);
    return this.#wait(look, `the guest to say ${pattern}`, options);
  }

  /** The newest report of this boot. */
  latest(): GuestReport | undefined {
    return firstOf(this.lines.toReversed(), parseReport);
  }

  /** Resolves with the newest report if it is as wanted, else with the first later one that is. */
  until(wanted: (report: GuestReport) => boolean, options: Patience = {}): Promise<GuestReport> {
    const look = (): GuestReport | undefined => {
      const report = this.latest();
      return report && wanted(report) ? report : undefined;
    };
    return this.#wait(look, `a report with ${wanted}`, options);
  }

  /** The first report from now on. */
  next(options: Patience = {}): Promise<GuestReport> {
    const from = this.#lines.length;
    return this.#wait(() => firstOf(this.#lines.slice(from), parseReport), "the next report", options);
  }

  /** Resolves when the guest of the nth QEMU is up. */
  async booted(count: number, options: Patience = {}): Promise<void> {
    const look = (): true | undefined =>
      this.#boots > count || (this.#boots === count && this.lines.includes("GUEST-READY")) ? true : undefined;
    await this.#wait(look, `boot ${count} (there were ${this.#boots})`, options);
  }

  /** Tells the guest to do something (see scripts/testbed/init.sh), and resolves when it is done. */
  async tell(line: string, patience: Patience = {}): Promise<void> {
    const did = this.says(new RegExp(`^GUEST-DID ${line}$`), { ...patience, since: "now" });
    for (const socket of this.#open) socket.write(`${line}\n`);
    await did;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    this.#boots += 1;
    this.#start = this.#lines.length;
    this.#open.add(socket.on("close", () => this.#open.delete(socket)));
    const lines = createInterface({ input: socket });
    lines.on("error", () => socket.destroy());
    lines.on("line", (line) => {
      this.#lines.push(line);
      for (const listener of this.#listeners) listener();
    });
  }

  #wait<T>(look: () => T | undefined, what: string, { timeout = 60_000 }: Patience): Promise<T> {
    const at = look();
    if (at !== undefined) return Promise.resolve(at);
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
      };
      const listener = (): void => {
        const found = look();
        if (found === undefined) return;
        finish();
        resolve(found);
      };
      const timer = setTimeout(() => {
        finish();
        const connection = this.#open.size > 0 ? "" : " (no QEMU is connected)";
        reject(
          new Error(
            `waited ${timeout} ms for ${what}${connection}; its last lines:\n${this.#lines.slice(-20).join("\n")}\n${lastWords(dirname(this.#path))}`,
          ),
        );
      }, timeout);
      this.#listeners.add(listener);
    });
  }
}

/** The output of the QEMUs of a scene in this folder, which says why one is gone. */
function lastWords(folder: string): string {
  const run = join(folder, "run");
  const files = existsSync(run) ? readdirSync(run, { recursive: true, encoding: "utf8" }) : [];
  return files
    .filter((path) => /output$/.test(path))
    .map((path) => `${path}: ${readFileSync(join(run, path), "utf8").slice(-2000)}`)
    .join("\n");
}

function firstOf<T>(lines: readonly string[], look: (line: string) => T | undefined): T | undefined {
  for (const line of lines) {
    const found = look(line);
    if (found !== undefined) return found;
  }
  return undefined;
}

function parseReport(line: string): GuestReport | undefined {
  const found = /^cpus=(\d+) MemTotal: (\d+) kB MemFree: (\d+) kB/.exec(line);
  if (!found) return undefined;
  const [cpus = 0, memTotal = 0, memFree = 0] = found.slice(1).map(Number);
  return { cpus, memTotal: memTotal * 1024, memFree: memFree * 1024 };
}
