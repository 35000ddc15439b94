import type { NoArguments } from "../schema/commands.ts";
import type { ArgumentsOf, KnownCommand, ReturnsOf } from "../schema/vocabulary.ts";
import type { CallOptions } from "./call.ts";

/** What a command takes after its name. */
export type CallArguments<Name extends string> = Name extends KnownCommand
  ? NoArguments extends ArgumentsOf<Name>
    ? [parameters?: ArgumentsOf<Name> | undefined, options?: CallOptions]
    : [parameters: ArgumentsOf<Name>, options?: CallOptions]
  : [parameters?: object | undefined, options?: CallOptions];

/** What a command returns; `unknown` for commands that are not known. */
export type Returns<Name extends string> = ReturnsOf<Name>;
