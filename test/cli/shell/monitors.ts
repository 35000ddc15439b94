import type { Monitor, MonitorEvent } from "../../../src/domain/facade.ts";
import { CommandError } from "../../../src/qmp/errors.ts";
import { recorded } from "./schemas.ts";

/** A monitor that a test speaks for. */
export interface Puppet extends Monitor {
  /** What was sent, save what only helps typing. */
  readonly sent: readonly (readonly [string, unknown])[];
  emit(event: string, data?: unknown): void;
  /** The connection ends. */
  end(error: Error): void;
}

/** A monitor with the schema of QEMU 10.0 and these answers; another command is one that it does not know. */
export async function puppet(
  answers: Readonly<Record<string, (args: Readonly<Record<string, unknown>>, signal?: AbortSignal) => unknown>> = {},
): Promise<Puppet> {
  const schema = await recorded("10.0.13");
  const sent: [string, unknown][] = [];
  const queue: MonitorEvent[] = [];
  let failure: Error | undefined;
  let wake = (): void => {};
  const execute: Monitor["execute"] = async (command, args = {}, options) => {
    if (command === "query-qmp-schema") return schema;
    sent.push([command, JSON.parse(JSON.stringify(args))]);
    const answer = answers[command];
    if (answer === undefined)
      throw new CommandError(command, { class: "CommandNotFound", desc: `The command ${command} has not been found` });
    return answer(args, options.signal);
  };
  return {
    sent,
    execute,
    exchange: async (request) => {
      sent.push(["exchange", request]);
      return request["execute"] === "nothing"
        ? { error: { class: "CommandNotFound", desc: "no such command" } }
        : { return: request["id"] ?? {} };
    },
    emit(event, data) {
      queue.push({ event, data, timestamp: { seconds: 1_700_000_000, microseconds: 0 } });
      wake();
    },
    end(error) {
      failure = error;
      wake();
    },
    events: () => ({
      async *[Symbol.asyncIterator]() {
        for (;;) {
          const event = queue.shift();
          if (event !== undefined) yield event;
          else if (failure !== undefined) throw failure;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      },
      [Symbol.dispose]() {},
    }),
    async [Symbol.asyncDispose]() {},
  };
}
