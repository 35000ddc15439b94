import type { FramingOptions } from "../wire/framing.ts";
import type { CallHooks } from "./call-hooks.ts";

/**
 * How to open a session over a transport. `timeout`, in milliseconds, is for connecting, greeting and negotiation together: 5000 unless
 * told.
 */
export interface OpenOptions extends CallHooks {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number | undefined;
  /** Whether to check arguments before they are sent, see {@link Session.checkArguments}. */
  readonly checkArguments?: boolean | undefined;
}

/** How to open a session with an address. */
export interface ConnectOptions extends OpenOptions, FramingOptions {}
