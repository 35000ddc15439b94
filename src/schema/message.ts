/** QEMU's `VersionInfo`. */
export interface VersionInfo {
  readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number };
  readonly package: string;
}

/** What a monitor says first, of itself (QEMU's docs/interop/qmp-spec). Capabilities are open: unknown ones mean nothing to us. */
export interface Greeting {
  readonly version: VersionInfo;
  readonly capabilities: readonly unknown[];
}

/** Host time of an event; both -1 where the host could not tell. */
export interface Timestamp {
  readonly seconds: number;
  readonly microseconds: number;
}

/** Why a value is not what a check wants; undefined when it is. */
export type Complaint = (value: unknown) => { readonly why: string; readonly cause: unknown } | undefined;
