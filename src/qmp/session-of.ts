/// <reference lib="esnext.disposable" preserve="true" />
import type { NoArguments } from "../schema/commands.ts";
import type { Timestamp } from "../schema/message.ts";
import type { CallOptions } from "./call.ts";
import type { EventOptions, EventStream } from "./event-stream.ts";
import type { Session } from "./session.ts";

type Call<Command> = Command extends { readonly arguments: infer Taken; readonly returns: infer Given }
  ? {
      readonly rest: NoArguments extends Taken
        ? [parameters?: Taken | undefined, options?: CallOptions]
        : [parameters: Taken, options?: CallOptions];
      readonly given: Given;
    }
  : never;

/** An event with the data that its table gives it. Of several events it is one; `event` tells which. */
type Told<Events, Name extends keyof Events> = Name extends keyof Events
  ? { readonly event: Name; readonly data: Events[Name]; readonly timestamp: Timestamp }
  : never;

/** {@link EventOptions} for the events of one QEMU. */
interface OptionsOf<Events, Name extends keyof Events> extends Omit<EventOptions, "where"> {
  readonly where?: ((event: Told<Events, Name>) => boolean) | undefined;
}

type FilterOf<Events, Name extends keyof Events> = Name | readonly Name[] | ((event: Told<Events, Name>) => boolean);

/**
 * A session that knows only the commands and events of one QEMU, from types made for that QEMU (`qmpctl types`). Other names are type
 * errors. It is only a type: `(await connect(address)) as SessionOf<QemuCommands, QemuEvents>`.
 */
export type SessionOf<Commands, Events = Record<never, never>> = Omit<Session, "execute" | "executeOob" | "events" | "waitFor"> & {
  execute<Name extends keyof Commands>(name: Name, ...rest: Call<Commands[Name]>["rest"]): Promise<Call<Commands[Name]>["given"]>;
  executeOob<Name extends keyof Commands>(name: Name, ...rest: Call<Commands[Name]>["rest"]): Promise<Call<Commands[Name]>["given"]>;
  events<Name extends keyof Events = keyof Events>(
    filter?: FilterOf<Events, Name>,
    options?: OptionsOf<Events, Name>,
  ): AsyncIterableIterator<Told<Events, Name>> & Omit<EventStream, keyof AsyncIterableIterator<unknown>>;
  waitFor<Name extends keyof Events = keyof Events>(
    filter: FilterOf<Events, Name>,
    options?: OptionsOf<Events, Name> & CallOptions,
  ): Promise<Told<Events, Name>>;
};
