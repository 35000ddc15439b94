/// <reference lib="esnext.disposable" preserve="true" />
import type { NoArguments } from "../schema/commands.ts";
import type { CallOptions } from "./call.ts";
import type { EventOptions, EventStream } from "./event-stream.ts";
import type { Session } from "./session.ts";

type Call<Command> = Command extends { readonly arguments: infer Taken; readonly returns: infer Given }
  ? { readonly rest: NoArguments extends Taken ? [parameters?: Taken | undefined, options?: CallOptions] : [parameters: Taken, options?: CallOptions]; readonly given: Given }
  : never;

/** An event with the data that its table gives it. */
type Told<Events, Name extends keyof Events> = { readonly event: Name; readonly data: Events[Name]; readonly timestamp: { readonly seconds: number; readonly microseconds: number } };

/**
 * A session that speaks just the commands and events of one QEMU, from types made for it (`qmpctl types`): names that it has not
 * are mistakes. A type only: `(await connect(address)) as SessionOf<QemuCommands, QemuEvents>`.
 */
export type SessionOf<Commands, Events = Record<never, never>> = Omit<Session, "execute" | "executeOob" | "events"> & {
  execute<Name extends keyof Commands>(name: Name, ...rest: Call<Commands[Name]>["rest"]): Promise<Call<Commands[Name]>["given"]>;
  executeOob<Name extends keyof Commands>(name: Name, ...rest: Call<Commands[Name]>["rest"]): Promise<Call<Commands[Name]>["given"]>;
  events<Name extends keyof Events>(
    filter: Name | readonly Name[],
    options?: EventOptions,
  ): AsyncIterableIterator<Told<Events, Name>> & Omit<EventStream, keyof AsyncIterableIterator<unknown>>;
};
