import { asKept, canonical, formatJson, type Json, toPlain } from "../json/json-value.ts";
import type { Mismatch } from "../protocol/mismatch.ts";
import { withId } from "../protocol/rendering.ts";
import { generic, refusalReply, type Request, toRequest } from "../protocol/request.ts";
import { AGENT_CHANNEL, isSynchronising } from "../transcript/agent-channel.ts";
import { Client } from "./client.ts";
import { Dispatcher, type Turn } from "./dispatcher.ts";
import { FakeMonitor } from "./fake-monitor.ts";
import { type Place } from "./listening.ts";
import type { Stage } from "./stage.ts";

/**
 * A guest's agent as it was recorded with its QEMU. What it says comes from the same recording, in the same order, and it answers beside
 * QEMU's monitors: neither waits for the other.
 */
export class RecordedAgent {
  readonly #stage: Stage;
  readonly #options: { readonly onMismatch: (mismatch: Mismatch) => void; readonly onChange: () => void };
  readonly #dispatcher = new Dispatcher((turn) => this.#answer(turn));
  readonly #channel: FakeMonitor;

  constructor(stage: Stage, options: { readonly onMismatch: (mismatch: Mismatch) => void; readonly onChange: () => void }) {
    this.#stage = stage;
    this.#options = options;
    this.#channel = new FakeMonitor(AGENT_CHANNEL, (socket, _nth, monitor) => {
      const client: Client = new Client(socket, { prologue: undefined, weather: {}, major: 7 }, (input) =>
        this.#dispatcher.hear({ input, client, monitor }),
      );
      client.read();
      void client.gone.then(() => socket.destroy());
      return client;
    });
  }

  /** Starts to listen at the host's end of the channel. @throws the system's error when it can't listen there */
  async listen(place: Place): Promise<void> {
    await this.#channel.listen(place);
  }

  /** Ends with its machine. */
  async close(): Promise<void> {
    this.#dispatcher.stop();
    await this.#channel.close(true);
  }

  async #answer({ input, client }: Turn): Promise<void> {
    const request = "error" in input ? generic(input.error, undefined) : toRequest(asKept(input.value), false);
    if ("desc" in request) return client.writer.raw(`${formatJson(refusalReply(request))}\n`);
    const text = await this.#perform(request, client);
    if (text !== undefined) client.writer.raw(`${request.command === "guest-sync-delimited" ? "\xff" : ""}${text}\n`);
  }

  /** Undefined: the recorded agent said nothing to that, and its client left. */
  async #perform(request: Request, client: Client): Promise<string | undefined> {
    const number = isSynchronising(request.command) ? (request.arguments.get("id") ?? null) : undefined;
    const args = number === undefined ? request.arguments : new Map<string, Json>([["id", { digits: "0" }]]);
    const play = this.#stage.playhead.ask(request.command, canonical(args), toPlain(args));
    if ("mismatch" in play) return this.#mismatched(play, request);
    this.#stage.happen(play.before);
    if (!play.exchange.query) this.#options.onChange();
    this.#stage.happen(play.after);
    if (play.exchange.reply === undefined) return void (await client.gone);
    const text = withId(play.exchange.reply, request.id);
    return number === undefined ? text : text.replace('{"return": 0', `{"return": ${formatJson(number)}`);
  }

  #mismatched(play: { readonly mismatch: string; readonly line: number }, { command, id }: Request): string {
    this.#options.onMismatch({ message: play.mismatch, line: play.line, command });
    return formatJson(refusalReply(generic(play.mismatch, id)));
  }
}
