/** QEMU's `VersionInfo`. */
export interface VersionInfo {
  readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number };
  readonly package: string;
}

/** The greeting of a monitor (QEMU's docs/interop/qmp-spec). Unknown capabilities are allowed, and ignored. */
export interface Greeting {
  readonly version: VersionInfo;
  readonly capabilities: readonly unknown[];
}

/** The host's time of an event; both are -1 if the host could not tell. */
export interface Timestamp {
  readonly seconds: number;
  readonly microseconds: number;
}

/** Why a value fails a check; undefined when it passes. */
export type Complaint = (value: unknown) => { readonly why: string; readonly cause: unknown } | undefined;
