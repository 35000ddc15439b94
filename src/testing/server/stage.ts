import type { Socket } from "node:net";
import { asKept, canonical, formatJson, type Json, toPlain } from "../json/json-value.ts";
import { handled } from "../protocol/answers.ts";
import { eventNow } from "../protocol/event.ts";
import { greetingOf } from "../protocol/greeting.ts";
import type { Mismatch } from "../protocol/mismatch.ts";
import { withId, withPresent } from "../protocol/rendering.ts";
import {
  generic,
  negotiate,
  type Refusal,
  refusalReply,
  type Request,
  type Said,
  successReply,
  toRequest,
  wrongCapabilities,
} from "../protocol/request.ts";
import type { Vocabulary } from "../protocol/vocabulary.ts";
import type { Directive } from "../transcript/directive.ts";
import { Playhead } from "../transcript/playhead.ts";
import type { Happening } from "../transcript/timeline-entry.ts";
import type { Timeline } from "../transcript/timeline.ts";
import { Client, type ClientWeather } from "./client.ts";
import { Dispatcher, type Turn } from "./dispatcher.ts";
import { FakeMonitor } from "./fake-monitor.ts";
import { FakeThreads } from "./fake-threads.ts";

/**
 * Milliseconds without a request after which a recorded event comes by itself. This is long, so that a client that is only slow between two
 * questions on a busy host sees the same on every run.
 */
export const IDLE = 250;

/** What a stage plays, and how. */
export interface StageOptions {
  readonly timeline: Timeline;
  readonly monitors: readonly string[];
  readonly weather: ClientWeather & { readonly greeting?: "never" | number | undefined; readonly before?: string | undefined };
  readonly oob: boolean | undefined;
  /** Milliseconds without a request after which the next event comes by itself. */
  readonly idle: number;
  readonly answers: Readonly<Record<string, (args: unknown) => unknown>>;
  readonly vocabulary: Vocabulary;
  /** Texts to replace in recorded answers. */
  readonly replace?: readonly (readonly [string, string])[];
  readonly onMismatch?: (mismatch: Mismatch) => void;
  /** Called when a changing command was played. */
  readonly onChange?: () => void;
  readonly onStderr?: (text: string) => void;
}

/**
 * QEMU's part: monitors, a dispatcher, and a playhead that says what comes next. The protocol is answered by rule, everything about the
 * machine from the recording.
 */
export class Stage {
  readonly monitors: readonly FakeMonitor[];
  readonly mismatches: Mismatch[] = [];
  readonly said: Said[] = [];
  readonly threads: FakeThreads;
  readonly playhead: Playhead;
  /** Resolves with the recorded exit status when QEMU has ended. */
  readonly exited: Promise<string>;
  readonly #options: StageOptions;
  readonly #dispatcher = new Dispatcher((turn) => this.#answer(turn));
  #deserted = false;
  #opened = false;
  #dead = false;
  #idle: NodeJS.Timeout | undefined;
  #end: (status: string) => void = () => {};

  constructor(options: StageOptions) {
    this.#options = options;
    this.playhead = new Playhead(options.timeline);
    this.threads = new FakeThreads(/accel=kvm|-enable-kvm/.test(options.timeline.transcript.provenance["command"] ?? "") ? "KVM" : "TCG");
    this.monitors = options.monitors.map((name) => new FakeMonitor(name, (socket, nth, monitor) => this.#admit(socket, nth, monitor)));
    this.exited = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** The clients that have negotiated, and so get events. */
  get audience(): readonly Client[] {
    return this.clients.filter((it) => it.negotiated);
  }

  /** The clients that are being served, one for each monitor. */
  get clients(): readonly Client[] {
    return this.monitors.flatMap((it) => (it.client === undefined ? [] : [it.client]));
  }

  /** Sends an event to every client that has negotiated. */
  broadcast(event: Json): void {
    for (const client of this.audience) client.writer.value(event);
  }

  /** Does what the recording says. Weather goes to `to`, events to all clients that have negotiated. */
  happen(happenings: readonly Happening[], to?: Client): void {
    for (const happening of happenings) {
      const early = to !== undefined && !to.negotiated;
      if (happening.kind === "weather") this.#weather(happening.directive, to === undefined ? this.clients : [to]);
      else for (const client of early ? [to] : this.audience) client.writer.message(happening.text, happening.modifiers);
    }
  }

  /** Ends QEMU as `quit` does: it sends an event, answers, and closes. QEMU 5.2 answers first. */
  quit(): void {
    const late = this.#options.vocabulary.major < 6;
    const tell = (): void => this.broadcast(eventNow("SHUTDOWN", { guest: false, reason: "host-qmp-quit" }));
    if (!late) tell();
    setImmediate(() => {
      if (late) tell();
      void this.exit("0");
    });
  }

  /** Ends QEMU. Connections close after everything is written, or at once if `abrupt`. */
  async exit(status: string, abrupt = false): Promise<void> {
    if (this.#dead) return;
    this.#dead = true;
    this.#dispatcher.stop();
    clearTimeout(this.#idle);
    await Promise.all(this.monitors.map((it) => it.close(abrupt)));
    await this.threads.close();
    this.#end(status);
  }

  #admit(socket: Socket, nth: number, monitor: FakeMonitor): Client {
    const prologue = this.#options.timeline.prologues.filter((it) => it.monitor === monitor.name)[nth];
    const client: Client = new Client(
      socket,
      { prologue, weather: this.#options.weather, major: this.#options.vocabulary.major },
      (input) => this.#dispatcher.hear({ input, client, monitor }),
    );
    this.happen(prologue?.before ?? [], client);
    const { greeting, before, deaf } = this.#options.weather;
    if (before !== undefined) client.writer.raw(before);
    if (greeting !== "never")
      client.writer.greet(greetingOf(this.#options.timeline, monitor.name, nth, this.#options.oob), prologue?.modifiers ?? [], greeting);
    if (deaf !== true) client.read();
    void client.gone.then(() => this.#dispatcher.farewell(client));
    socket.once("close", () => {
      if (client.negotiated && this.audience.every((it) => it === client)) this.#deserted = true;
    });
    return client;
  }

  #weather(directive: Directive, clients: readonly Client[]): void {
    if (directive.name === "exit") return void this.exit(directive.status);
    if (directive.name === "stderr") return this.#options.onStderr?.(directive.text);
    for (const client of clients) client.applyDirective(directive);
  }

  async #answer({ input, client, monitor }: Turn): Promise<void> {
    clearTimeout(this.#idle);
    const request = "error" in input ? generic(input.error, undefined) : toRequest(asKept(input.value), client.oob);
    const refused = "desc" in request ? request : this.#byRule(request, client);
    if (refused !== undefined) client.writer.value("desc" in refused ? refusalReply(refused) : refused.reply);
    else if (!("desc" in request)) await this.#perform(request, client, monitor);
    if (refused !== undefined && "after" in refused) refused.after();
    this.#waitIdly();
  }

  /** Answers what concerns the protocol only; undefined if the request concerns the machine. */
  #byRule(request: Request, client: Client): Refusal | { readonly reply: Json; readonly after: () => void } | undefined {
    const found = (desc: string): Refusal => ({ class: "CommandNotFound", desc, id: request.id });
    const { vocabulary } = this.#options;
    const capabilities = request.command === "qmp_capabilities";
    if (client.negotiated) {
      if (request.oob && !vocabulary.overtakes(request.command))
        return generic(`The command ${request.command} does not support OOB`, request.id);
      if (!capabilities) return undefined;
      return wrongCapabilities(request, vocabulary.major) ?? found("Capabilities negotiation is already complete, command ignored");
    }
    if (!capabilities) return found("Expecting capabilities negotiation with 'qmp_capabilities'");
    const enabled = negotiate(request, vocabulary.major, client.writer.greeted.includes('"oob"') ? ["oob"] : []);
    if ("desc" in enabled) return enabled;
    this.happen(client.prologue?.between ?? [], client);
    client.oob = enabled.includes("oob");
    return { reply: successReply(new Map(), request.id), after: () => this.#welcome(client) };
  }

  #welcome(client: Client): void {
    client.negotiated = true;
    const first = !this.#opened;
    if (first || this.#deserted) this.happen(first ? this.playhead.opening() : this.playhead.visit(), client);
    this.#opened = true;
    this.#deserted = false;
  }

  async #perform(request: Request, client: Client, monitor: FakeMonitor): Promise<void> {
    const plain = toPlain(request.arguments);
    this.said.push({ monitor: monitor.name, command: request.command, arguments: plain });
    const handler = Object.hasOwn(this.#options.answers, request.command) ? this.#options.answers[request.command] : undefined;
    if (handler !== undefined)
      return monitor.say(
        this.#unasked(request) ??
          (await handled(handler, plain, request.id, (why) => this.#mismatched({ mismatch: why, line: 0 }, request))),
      );
    const play = this.playhead.ask(request.command, canonical(request.arguments), plain);
    if ("mismatch" in play) return monitor.say(this.#unasked(request) ?? this.#mismatched(play, request));
    this.happen(play.before, client);
    const { exchange } = play;
    if (!exchange.query) this.#options.onChange?.();
    if (exchange.reply === undefined) this.happen(play.after, client);
    if (exchange.reply === undefined || exchange.late) await this.#desertion(client);
    if (exchange.reply === undefined) return;
    if (exchange.late && monitor.client === client) await monitor.nextClient();
    const recorded = (this.#options.replace ?? []).reduce((text, [from, to]) => text.replaceAll(from, to), exchange.reply);
    const text = withPresent(withId(recorded, request.id), exchange.at);
    monitor.say(await this.threads.inReply(request.command, text), exchange.modifiers);
    this.happen(play.after, client);
  }

  /** Answers what the schema alone can answer: the schema itself, and refusals of what it does not allow. */
  #unasked(request: Request): string | undefined {
    const { vocabulary, answers } = this.#options;
    const answered = Object.hasOwn(answers, request.command);
    const refusal = vocabulary.refusal(request, answered);
    if (refusal !== undefined) return formatJson(refusalReply(refusal));
    const known = answered ? undefined : vocabulary.introduce(request.command);
    return known === undefined ? undefined : formatJson(successReply(known, request.id));
  }

  #mismatched(play: { readonly mismatch: string; readonly line: number }, request: Request): string {
    const mismatch = { message: play.mismatch, line: play.line, command: request.command };
    this.mismatches.push(mismatch);
    this.#options.onMismatch?.(mismatch);
    return formatJson(refusalReply(generic(play.mismatch, request.id)));
  }

  /** Waits for a client to give up on its reply. Its place is free then, though its command goes on. */
  async #desertion(client: Client): Promise<void> {
    await client.gone;
    client.socket.destroy();
  }

  #waitIdly(): void {
    if (this.#dead) return;
    this.#idle = setTimeout(() => {
      const found = this.playhead.idle();
      this.happen(found);
      if (found.length > 0) this.#waitIdly();
    }, this.#options.idle);
    this.#idle.unref();
  }
}
