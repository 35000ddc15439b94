import { UsageError } from "../errors.ts";
import type { Session } from "../qmp/session.ts";
import type { Interrupted } from "./change/interrupted-error.ts";
import type { Domain as Asked } from "./facade.ts";
import type { UndefineReport } from "./lifecycle/define.ts";
import type { DomainOptions } from "./machine/place.ts";
import type { MonitorOptions, ReadOptions } from "./model/action.ts";

export type { RevertOptions } from "./facade.ts";

/** Where a domain is worked on: on this host, or on another one. All state is there, and none is here. */
export interface EndPoint extends Omit<Asked, "connect" | "undefine" | typeof Symbol.asyncDispose> {
  readonly configPath: string | undefined;
  interrupted(options: ReadOptions): Promise<Interrupted | null>;
  undefine(): Promise<UndefineReport>;
  connect(options: MonitorOptions): Promise<Session>;
  /** Ends the connection to the host. */
  close?(): Promise<void>;
}

/** How domains of other hosts are worked on. */
export interface Elsewhere {
  /** A domain by its address `ssh://HOST/NAME`. */
  open(address: string, options: DomainOptions): Promise<EndPoint>;
}

const known: { elsewhere?: Elsewhere } = {};

/** Says how domains of other hosts are worked on: that is built on top of this floor. */
export function workElsewhere(elsewhere: Elsewhere): void {
  known.elsewhere = elsewhere;
}

/** Opens a domain of another host. @throws what that throws; UsageError where nobody knows how */
export async function openElsewhere(address: string, options: DomainOptions): Promise<EndPoint> {
  if (known.elsewhere !== undefined) return known.elsewhere.open(address, options);
  throw new UsageError(`${address}: a domain of another host is opened by the package's own Domain`, {
    value: address,
    expected: "a name, a path or a monitor's address",
  });
}
