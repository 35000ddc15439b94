import type { ProtocolError } from "../wire/errors.ts";
import { ClosedError } from "./errors.ts";

/** Why a session ended. `us`: it was closed on purpose. `peer`: the connection ended or broke, and `error` says how. */
export type CloseReason = { readonly by: "us" } | { readonly by: "peer"; readonly error: ClosedError | ProtocolError };

/** The error that ended a session; undefined when it was closed on purpose. */
export function failureOf(reason: CloseReason): ClosedError | ProtocolError | undefined {
  return reason.by === "us" ? undefined : reason.error;
}

/** Why a session ended, for a message. */
export function whyClosed(reason: CloseReason): string {
  return reason.by === "us" ? "the session was closed here" : reason.error.message;
}

/** The error of a call that is made after the session has ended. */
export function closedError(command: string, reason: CloseReason): ClosedError {
  return new ClosedError(command, whyClosed(reason), { sent: false, cause: failureOf(reason) });
}
