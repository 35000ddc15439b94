import type { Commands, NoArguments } from "../schema/commands.ts";
import type { CallOptions } from "./call.ts";

/** What a command takes after its name. */
export type CallArguments<Name extends string> = Name extends keyof Commands
  ? NoArguments extends Commands[Name]["arguments"]
    ? [parameters?: Commands[Name]["arguments"] | undefined, options?: CallOptions]
    : [parameters: Commands[Name]["arguments"], options?: CallOptions]
  : [parameters?: object | undefined, options?: CallOptions];

/** What a command gives; `unknown` for commands that are not listed. */
export type Returns<Name extends string> = Name extends keyof Commands ? Commands[Name]["returns"] : unknown;
