import { randomHex } from "../digest.ts";
import { formatTime, messageOf } from "../errors.ts";
import { greeting } from "../schema/check.ts";
import type { QmpEvent } from "../schema/event.ts";
import type { Greeting } from "../schema/message.ts";
import { faultOf } from "../shape.ts";
import { showJson } from "../wire/json.ts";
import type { Message, Transport } from "../wire/transport.ts";
import type { DeadlineSignal } from "./deadline-signal.ts";
import { GreetingError, NegotiationError } from "./errors.ts";

/** A monitor in command mode. */
export interface Opened {
  readonly greeting: Greeting;
  /** Whether commands can be sent out of band. */
  readonly oob: boolean;
  /** Events that came before anyone could subscribe. QMP promises none before command mode, but QEMU sends some. */
  readonly early: readonly QmpEvent[];
  /** What came after the last reply of the handshake in the same read. */
  readonly rest: readonly Message[];
  readonly messages: AsyncIterator<readonly Message[]>;
}

/**
 * Waits for the greeting, then leaves negotiation mode. It does not close the transport when it fails; the caller does.
 *
 * @throws GreetingError when no greeting comes, or something else does; NegotiationError when QEMU does not enter command mode; the
 *   signal's reason as it is
 */
export async function handshake(transport: Transport, deadline: DeadlineSignal): Promise<Opened> {
  const reader = new Reader(transport, deadline);
  const hello = await reader.find(isGreeting, (why, cause) => new GreetingError(transport.peer, why, { cause }), GREETING_LATE);
  if (!greeting.fits(hello)) {
    const cause = faultOf(greeting, hello);
    throw new GreetingError(transport.peer, `a greeting that is not as QEMU documents it: ${showJson(hello)}`, { cause });
  }
  const { capabilities } = hello.QMP;
  const oob = capabilities.includes("oob");
  // This one id is long and random: the reply to an earlier client's command may come first, and must not be taken for ours (R28).
  const id = randomHex(32);
  const enable = oob ? `,"arguments":{"enable":["oob"]}` : "";
  transport.send(`{"execute":"qmp_capabilities"${enable},"id":"${id}"}\n`);
  const refuse = (why: string, cause?: unknown): NegotiationError => new NegotiationError(transport.peer, why, { cause });
  const reply = await reader.find((message) => message["id"] === id, refuse, NEGOTIATION_LATE);
  if (reply["return"] === undefined) throw refuse(`QEMU refused qmp_capabilities: ${showJson(reply["error"] ?? reply)}`);
  return { greeting: hello.QMP, oob, rest: reader.rest(), early: reader.early, messages: reader.messages };
}

const GREETING_LATE =
  "connected, and no QMP greeting came within {}: most likely another client holds this monitor, which serves one at a time; or QEMU is stopped, or stuck";
const NEGOTIATION_LATE =
  "greeted, and qmp_capabilities was not answered within {}: a command of an earlier client may still run, or QEMU is stuck";

/** The most early events that are kept. If they come by the thousand, those from before the session are not missed. */
const MOST_EARLY = 1000;

type Complaint = (why: string, cause?: unknown) => Error;

/** Reads until a certain message comes. Keeps events, and drops replies to earlier clients. */
class Reader {
  readonly early: QmpEvent[] = [];
  readonly messages: AsyncIterator<readonly Message[]>;
  readonly #deadline: DeadlineSignal;
  readonly #peer: string;
  #batch: readonly Message[] = [];
  #next = 0;

  constructor(transport: Transport, deadline: DeadlineSignal) {
    this.messages = transport[Symbol.asyncIterator]();
    this.#deadline = deadline;
    this.#peer = transport.peer;
  }

  async find(wanted: (message: Message) => boolean, complain: Complaint, late: string): Promise<Message> {
    for (;;) {
      while (this.#next < this.#batch.length) {
        const message = this.#batch[this.#next++] as Message;
        if (wanted(message)) return message;
        if (typeof message["event"] === "string") this.#keep(message as unknown as QmpEvent);
        else if (!("return" in message || "error" in message)) throw complain(`not a QMP monitor: it says ${showJson(message)}`);
      }
      this.#batch = await this.#read(complain, late);
      this.#next = 0;
    }
  }

  #keep(event: QmpEvent): void {
    if (this.early.length < MOST_EARLY) this.early.push(event);
  }

  /** What is left of the last read. Its events count as early ones too. */
  rest(): readonly Message[] {
    const rest = this.#batch.slice(this.#next);
    for (const message of rest) if (typeof message["event"] === "string") this.#keep(message as unknown as QmpEvent);
    return rest.filter((message) => message["event"] === undefined);
  }

  async #read(complain: Complaint, late: string): Promise<readonly Message[]> {
    const turn = await this.#deadline.race(
      this.messages.next().catch((cause: unknown) => {
        // The message of a ProtocolError begins with the peer's name already.
        throw complain(messageOf(cause).replace(`${this.#peer}: `, ""), cause);
      }),
      () => complain(late.replace("{}", formatTime(this.#deadline.timeout))),
    );
    if (turn.done === true) throw complain("the peer closed the connection at once: QEMU is ending, or this is not a monitor");
    return turn.value;
  }
}

function isGreeting(message: Message): boolean {
  return "QMP" in message;
}
