import { QmpctlError } from "../errors.ts";
import type { Message } from "../wire/transport.ts";

/** An error as it travels: the name of its class, its message, its code, and its evidence. */
export interface CarriedError {
  readonly kind: string;
  readonly message: string;
  readonly code?: string;
  readonly evidence?: Readonly<Record<string, unknown>>;
  readonly cause?: CarriedError;
}

/** How many causes of causes travel. */
const DEEPEST = 4;

/** An error of the far end, to be sent. What is not one of ours travels as its message. */
export function carry(error: unknown, depth: number = DEEPEST): CarriedError {
  if (!(error instanceof Error)) return { kind: "Error", message: String(error) };
  const { name: _, code, cause, ...evidence } = error as Error & { readonly code?: string };
  const isOurs = error instanceof QmpctlError;
  return {
    kind: isOurs ? error.name : "Error",
    message: error.message,
    ...(typeof code === "string" ? { code } : {}),
    ...(isOurs ? { evidence } : {}),
    ...(cause === undefined || depth === 0 ? {} : { cause: carry(cause, depth - 1) }),
  };
}

type Class = abstract new (...words: never[]) => QmpctlError;

/** Where the class of each error is that an end point may throw. */
const CLASSES: Readonly<Record<string, () => Promise<Class>>> = {
  QmpctlError: () => Promise.resolve(QmpctlError),
  UsageError: async () => (await import("../errors.ts")).UsageError,
  HostError: async () => (await import("../errors.ts")).HostError,
  UnsafeError: async () => (await import("../errors.ts")).UnsafeError,
  ConfigError: async () => (await import("../config/config-error.ts")).ConfigError,
  ConnectError: async () => (await import("../wire/errors.ts")).ConnectError,
  ProtocolError: async () => (await import("../wire/errors.ts")).ProtocolError,
  GreetingError: async () => (await import("../qmp/errors.ts")).GreetingError,
  NegotiationError: async () => (await import("../qmp/errors.ts")).NegotiationError,
  CommandError: async () => (await import("../qmp/errors.ts")).CommandError,
  TimeoutError: async () => (await import("../qmp/errors.ts")).TimeoutError,
  ClosedError: async () => (await import("../qmp/errors.ts")).ClosedError,
  OverflowError: async () => (await import("../qmp/errors.ts")).OverflowError,
  ArgumentError: async () => (await import("../schema/argument-error.ts")).ArgumentError,
  LockedError: async () => (await import("../host/locked-error.ts")).LockedError,
  StateError: async () => (await import("../domain/model/errors.ts")).StateError,
  DiedError: async () => (await import("../domain/model/errors.ts")).DiedError,
  StrangerError: async () => (await import("../domain/machine/identity.ts")).StrangerError,
  HeldError: async () => (await import("../domain/machine/holders.ts")).HeldError,
  DamagedRecordError: async () => (await import("../domain/change/journal.ts")).DamagedRecordError,
  InterruptedError: async () => (await import("../domain/change/interrupted-error.ts")).InterruptedError,
  InterruptedActionError: async () => (await import("../domain/change/interrupted.ts")).InterruptedActionError,
  RefusedError: async () => (await import("../domain/change/errors.ts")).RefusedError,
  ChangeError: async () => (await import("../domain/change/errors.ts")).ChangeError,
  EndError: async () => (await import("../domain/change/errors.ts")).EndError,
  ForbiddenError: async () => (await import("./errors.ts")).ForbiddenError,
};

/** The names of the classes that come through. */
export const CARRIED: readonly string[] = Object.keys(CLASSES);

/**
 * The error that the far end threw, of its own class. Its stack is where it was received. A class that this version does not know becomes a
 * plain `QmpctlError` with its code.
 */
export async function revive(carried: CarriedError): Promise<Error> {
  const { kind, message, code, evidence = {}, cause } = carried;
  const from = cause === undefined ? {} : { cause: await revive(cause) };
  const known = Object.hasOwn(CLASSES, kind) ? CLASSES[kind] : undefined;
  if (known === undefined && code === undefined) return new Error(message, from);
  const { prototype } = known === undefined ? QmpctlError : await known();
  // Its constructor would put the message together once more.
  const error = Object.create(prototype as object, hidden({ message, stack: new Error(message).stack, ...from })) as QmpctlError;
  return Object.assign(error, evidence, { name: kind, code });
}

/** Members as an error has them: they are not listed. */
function hidden(members: Readonly<Record<string, unknown>>): PropertyDescriptorMap {
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => [name, { value, writable: true, configurable: true, enumerable: false }]),
  );
}

/** A carried error as it arrived. */
export function carriedIn(value: unknown): CarriedError {
  const { kind, message, code, evidence, cause } = (typeof value === "object" && value !== null ? value : {}) as Message;
  const isObject = typeof evidence === "object" && evidence !== null;
  return {
    kind: typeof kind === "string" ? kind : "Error",
    message: typeof message === "string" ? message : "no message",
    ...(typeof code === "string" ? { code } : {}),
    ...(isObject ? { evidence: evidence as Readonly<Record<string, unknown>> } : {}),
    ...(cause === undefined ? {} : { cause: carriedIn(cause) }),
  };
}
