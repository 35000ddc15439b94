import { Buffer } from "node:buffer";
import { alarmIn } from "../deadline.ts";
import { formatTime } from "../errors.ts";
import { type Conversation, converse } from "../wire/child.ts";
import { ConnectError, excerptOf } from "../wire/errors.ts";
import { Framer } from "../wire/framing.ts";
import { Intake } from "../wire/socket.ts";
import type { Transport } from "../wire/transport.ts";
import { UnreachableError } from "./errors.ts";
import type { FarProgram } from "./far-program.ts";
import { FRAMING, PROTOCOL } from "./frame.ts";
import { formatHost, type HostAddress } from "./host-address.ts";
import { type Greeted, Link } from "./link.ts";
import { loaderCommand, OLDEST_NODE } from "./loader.ts";
import { sshCommand, unreachable } from "./ssh.ts";

/** How a host is connected to. */
export interface HostOptions {
  /** The program that is run as `ssh`; else QMPCTL_SSH of the environment, else `ssh`. */
  readonly ssh?: string | undefined;
  /** The path of Node there, where its login does not find it. */
  readonly remoteNode?: string | undefined;
  /** Use the qmpctl that is installed there, instead of sending this one. */
  readonly installed?: boolean | undefined;
  /** Milliseconds until the far end has to have said who it is; 30000 by default. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT = 30_000;
/** How far the greeting is looked for behind what a login script writes, in bytes. */
const NOISE = 64 * 1024;
const GREETING = '{"qmpctl":';

/**
 * Connects to a host by the user's own OpenSSH, has the far end started there, and hears who it is. Nothing is left on the host: the
 * program is sent, and is gone with the connection.
 *
 * The program is sent at once, so that it waits there for Node to start. It is the same text for everyone: no word of a call is sent before
 * something of ours has spoken. Resolves when the loader has; the link says when the program itself does.
 *
 * @throws UnreachableError when that is not possible, and why; the signal's reason
 */
export async function connectHost(at: HostAddress, far: FarProgram, options: HostOptions): Promise<Link> {
  const { ssh = "ssh", remoteNode, installed = false, timeout = TIMEOUT, signal } = options;
  signal?.throwIfAborted();
  const name = formatHost(at);
  const command = sshCommand(ssh, at, installed ? "exec qmpctl serve" : loaderCommand(remoteNode));
  const child = await converse(command, name).catch((cause: unknown) => {
    const why = cause instanceof ConnectError ? cause.message.replace(`${name}: `, "") : String(cause);
    throw new UnreachableError(name, "no-ssh", why, { cause });
  });
  const abandon = (): void => void child.end();
  signal?.addEventListener("abort", abandon, { once: true });
  let isLate = false;
  const cancel = alarmIn(timeout, () => {
    isLate = true;
    void child.end();
  });
  const over = (): void => {
    cancel();
    signal?.removeEventListener("abort", abandon);
  };
  const why = async (error: unknown): Promise<never> => {
    over();
    await child.end();
    signal?.throwIfAborted();
    if (isLate) throw new UnreachableError(name, "timeout", `it did not say who it is within ${formatTime(timeout)}`, { cause: error });
    throw error;
  };
  try {
    if (!installed) child.write(far.first());
    const greeting = new Greetings(name, child);
    const first = await greeting.next();
    const isLoader = first["qmpctl"] === "loader";
    if (isLoader) checkNode(name, first["node"]);
    const served = isLoader ? greeting.next() : Promise.resolve(first);
    const greeted = served.then((it) => greetedBy(name, it)).catch(why);
    greeted.then(over, () => {});
    return new Link(name, greeting.rest(greeted), isLoader ? { greeted, more: far.more } : { greeted });
  } catch (error) {
    return await why(error);
  }
}

function checkNode(name: string, version: unknown): void {
  const [major = 0, minor = 0] = String(version).replace(/^v/, "").split(".").map(Number);
  const [least, with_] = OLDEST_NODE;
  if (major > least || (major === least && minor >= with_)) return;
  throw new UnreachableError(name, "node-too-old", `it has Node ${String(version)}, and ${least}.${with_} or newer is needed`);
}

function greetedBy(name: string, { protocol, version, boot }: Readonly<Record<string, unknown>>): Greeted {
  const [first, last] = Array.isArray(protocol) ? (protocol as readonly unknown[]).map(Number) : [];
  if (first !== undefined && last !== undefined && first <= PROTOCOL[1] && last >= PROTOCOL[0])
    return { boot: typeof boot === "string" ? boot : undefined };
  throw new UnreachableError(
    name,
    "version",
    `its qmpctl ${String(version)} speaks versions ${first}-${last} of the words between hosts, and this one ${PROTOCOL.join("-")}`,
  );
}

/** The lines that the far end says before the conversation begins, and what comes after them. */
class Greetings {
  readonly #name: string;
  readonly #child: Conversation;
  #held: Buffer = Buffer.alloc(0);
  #more = (): void => {};
  #ended = false;

  constructor(name: string, child: Conversation) {
    this.#name = name;
    this.#child = child;
    const heard = (chunk: Uint8Array): void => {
      this.#held = Buffer.concat([this.#held, chunk]);
      this.#more();
    };
    child.listen(heard, () => {
      this.#ended = true;
      this.#more();
    });
  }

  /** The next greeting. @throws UnreachableError if something else is said, or the program ends */
  async next(): Promise<Readonly<Record<string, unknown>>> {
    for (;;) {
      const line = this.#line();
      if (line !== undefined) return line;
      if (this.#ended) throw await this.#silence();
      await new Promise<void>((resolve) => (this.#more = resolve));
    }
  }

  #line(): Readonly<Record<string, unknown>> | undefined {
    const at = this.#held.indexOf(GREETING);
    const end = at < 0 ? -1 : this.#held.indexOf(0x0a, at);
    if (at > 0 || (at < 0 && this.#held.length > NOISE)) throw this.#noise(at);
    if (end < 0) return undefined;
    const line = this.#held.toString("utf8", at, end);
    this.#held = this.#held.subarray(end + 1);
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  }

  #noise(at: number): UnreachableError {
    const sample = excerptOf(this.#held.toString("latin1", 0, at < 0 ? this.#held.length : at));
    return new UnreachableError(
      this.#name,
      "noise",
      `something else than qmpctl speaks there first, ${sample}; let its login scripts write only on a terminal`,
    );
  }

  async #silence(): Promise<UnreachableError> {
    const exit = await this.#child.exited;
    if (this.#held.length > 0 && exit.code === 0) return this.#noise(-1);
    return unreachable(this.#name, exit, this.#held.length === 0 ? "" : excerptOf(this.#held.toString("latin1").trim()));
  }

  /** The conversation, which begins with what is heard after the last greeting. Fails with what `greeted` fails with. */
  rest(greeted: Promise<unknown>): Transport {
    const { exited, end, finish, listen, write } = this.#child;
    const intake = new Intake(new Framer(this.#name, FRAMING));
    const begin = (): void => {
      intake.read(this.#held);
      listen(
        (chunk) => void (intake.read(chunk) || void end()),
        () => intake.end(),
      );
      if (this.#ended) intake.end();
      void exited.then(({ code, lastWords }) =>
        intake.inbox.end(code === 0 ? undefined : new Error(`ssh ended with ${code}${lastWords === "" ? "" : `: ${lastWords}`}`)),
      );
    };
    greeted.then(begin, (error: unknown) => intake.inbox.end(error));
    return {
      peer: this.#name,
      send: write,
      async close() {
        intake.inbox.end();
        finish();
        await end();
      },
      [Symbol.asyncIterator]: () => intake.inbox,
    };
  }
}
