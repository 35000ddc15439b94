import type { Facade } from "../../domain/facade.ts";

/** One host of a fleet. */
export interface Member {
  /** What it is called in reports: as the list of hosts has it. */
  readonly name: string;
  /** How it is reached, as `-H` takes it: `root@kvm1:2222`. */
  readonly address: string;
  /** The host that its connections go through, where they go through one. */
  readonly jump?: string | undefined;
}

/** The domains of a host, and what ends the connection to it. */
export interface Dialled {
  readonly facade: Facade;
  /** What is connected from now on is given up with this signal. */
  until?(signal: AbortSignal | undefined): void;
  close(): Promise<void>;
}

/** Says how a host's domains are come by. It is connected to with the first call. @throws UsageError for what can't be a host */
export type Dial = (member: Member) => Dialled | Promise<Dialled>;

/** The hosts of a fleet, and how they are reached. */
export interface Hosts {
  readonly members: readonly Member[];
  readonly dial: Dial;
}
