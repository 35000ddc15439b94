/**
 * The guest agent's commands, written by hand, because an agent can't be asked for its schema. Source: QEMU's qga/qapi-schema.json, up to
 * 10.0. An agent itself says which of them it has (`guest-info`). Enumerations are open: another release may have more values. Members that
 * were added later than their command are optional.
 */
export interface AgentCommands {
  "guest-ping": { arguments: None; returns: Empty };
  "guest-sync": { arguments: { readonly id: number }; returns: number };
  "guest-info": {
    arguments: None;
    returns: {
      readonly version: string;
      readonly supported_commands: readonly { readonly name: string; readonly enabled: boolean; readonly "success-response": boolean }[];
    };
  };
  /** Nanoseconds since 1970, UTC. */
  "guest-get-time": { arguments: None; returns: number | bigint };
  /** `time`: nanoseconds since 1970, UTC; without it, the time is taken from the guest's hardware clock. */
  "guest-set-time": { arguments: { readonly time?: number | bigint | undefined }; returns: Empty };
  /** Sends nothing when it succeeds. `mode` is `powerdown` unless told. */
  "guest-shutdown": { arguments: { readonly mode?: "powerdown" | "halt" | "reboot" | undefined }; returns: undefined };
  "guest-suspend-disk": { arguments: None; returns: undefined };
  "guest-suspend-ram": { arguments: None; returns: undefined };
  "guest-suspend-hybrid": { arguments: None; returns: undefined };
  "guest-get-vcpus": { arguments: None; returns: readonly LogicalProcessor[] };
  /** Returns how many of them, from the first on, were set. If fewer were set than given, the next one could not be. */
  "guest-set-vcpus": {
    arguments: { readonly vcpus: readonly { readonly "logical-id": number; readonly online: boolean }[] };
    returns: number;
  };
  "guest-get-memory-blocks": { arguments: None; returns: readonly MemoryBlock[] };
  "guest-set-memory-blocks": {
    arguments: { readonly "mem-blks": readonly { readonly "phys-index": number; readonly online: boolean }[] };
    returns: readonly { readonly "phys-index": number; readonly response: string; readonly "error-code"?: number | undefined }[];
  };
  /** The size of one block, in bytes. */
  "guest-get-memory-block-info": { arguments: None; returns: { readonly size: number } };
  "guest-fsfreeze-status": { arguments: None; returns: "thawed" | "frozen" | Other };
  /** How many file systems were frozen. */
  "guest-fsfreeze-freeze": { arguments: None; returns: number };
  "guest-fsfreeze-freeze-list": { arguments: { readonly mountpoints?: readonly string[] | undefined }; returns: number };
  /** How many file systems were thawed. */
  "guest-fsfreeze-thaw": { arguments: None; returns: number };
  /** `minimum`: the smallest free range to give back, in bytes. */
  "guest-fstrim": {
    arguments: { readonly minimum?: number | undefined };
    returns: {
      readonly paths: readonly {
        readonly path: string;
        readonly trimmed?: number | undefined;
        readonly minimum?: number | undefined;
        readonly error?: string | undefined;
      }[];
    };
  };
  "guest-get-fsinfo": { arguments: None; returns: readonly FileSystem[] };
  "guest-get-disks": {
    arguments: None;
    returns: readonly {
      readonly name: string;
      readonly partition: boolean;
      readonly dependencies?: readonly string[] | undefined;
      readonly alias?: string | undefined;
    }[];
  };
  "guest-network-get-interfaces": { arguments: None; returns: readonly NetworkInterface[] };
  "guest-get-host-name": { arguments: None; returns: { readonly "host-name": string } };
  "guest-get-osinfo": { arguments: None; returns: OsInfo };
  /** `offset`: seconds east of UTC. */
  "guest-get-timezone": { arguments: None; returns: { readonly offset: number; readonly zone?: string | undefined } };
  /** `login-time`: seconds since 1970. */
  "guest-get-users": {
    arguments: None;
    returns: readonly { readonly user: string; readonly "login-time": number; readonly domain?: string | undefined }[];
  };
  /** `password`: in base64. */
  "guest-set-user-password": {
    arguments: { readonly username: string; readonly password: string; readonly crypted: boolean };
    returns: Empty;
  };
  "guest-exec": {
    arguments: {
      readonly path: string;
      readonly arg?: readonly string[] | undefined;
      readonly env?: readonly string[] | undefined;
      /** In base64. */
      readonly "input-data"?: string | undefined;
      readonly "capture-output"?: boolean | "none" | "stdout" | "stderr" | "separated" | "merged" | undefined;
    };
    returns: { readonly pid: number };
  };
  /** `out-data` and `err-data`: in base64. The agent forgets an ended process after it has reported the end. */
  "guest-exec-status": {
    arguments: { readonly pid: number };
    returns: {
      readonly exited: boolean;
      readonly exitcode?: number | undefined;
      readonly signal?: number | undefined;
      readonly "out-data"?: string | undefined;
      readonly "err-data"?: string | undefined;
      readonly "out-truncated"?: boolean | undefined;
      readonly "err-truncated"?: boolean | undefined;
    };
  };
  /** Returns a handle for the other file commands. `mode` as for C's fopen: `r` unless told. */
  "guest-file-open": { arguments: { readonly path: string; readonly mode?: string | undefined }; returns: number };
  "guest-file-close": { arguments: { readonly handle: number }; returns: Empty };
  /** `count`: bytes, 4096 unless told; `buf-b64`: in base64. */
  "guest-file-read": {
    arguments: { readonly handle: number; readonly count?: number | undefined };
    returns: { readonly count: number; readonly "buf-b64": string; readonly eof: boolean };
  };
  "guest-file-write": {
    arguments: { readonly handle: number; readonly "buf-b64": string; readonly count?: number | undefined };
    returns: { readonly count: number; readonly eof: boolean };
  };
  "guest-file-seek": {
    arguments: { readonly handle: number; readonly offset: number; readonly whence: "set" | "cur" | "end" | 0 | 1 | 2 };
    returns: { readonly position: number; readonly eof: boolean };
  };
  "guest-file-flush": { arguments: { readonly handle: number }; returns: Empty };
  "guest-ssh-get-authorized-keys": { arguments: { readonly username: string }; returns: { readonly keys: readonly string[] } };
  "guest-ssh-add-authorized-keys": {
    arguments: { readonly username: string; readonly keys: readonly string[]; readonly reset?: boolean | undefined };
    returns: Empty;
  };
  "guest-ssh-remove-authorized-keys": { arguments: { readonly username: string; readonly keys: readonly string[] }; returns: Empty };
}

/** What a command of the agent takes; any object if the command is not known. */
export type AgentArguments<Name extends string> = Name extends keyof AgentCommands ? AgentCommands[Name]["arguments"] : object;

/** What a command of the agent returns; unknown if the command is not known. */
export type AgentReturns<Name extends string> = Name extends keyof AgentCommands ? AgentCommands[Name]["returns"] : unknown;

type None = Readonly<Record<string, never>>;
type Empty = Readonly<Record<string, never>>;
type Other = string & {};

/** A vCPU as the guest's kernel sees it. `can-offline`: whether it may be taken offline; most often the first one may not. */
export interface LogicalProcessor {
  readonly "logical-id": number;
  readonly online: boolean;
  readonly "can-offline"?: boolean | undefined;
}

/** A block of the guest's memory. All have the same size (`guest-get-memory-block-info`). */
export interface MemoryBlock {
  readonly "phys-index": number;
  readonly online: boolean;
  readonly "can-offline"?: boolean | undefined;
}

/** A mounted file system. Sizes in bytes. */
export interface FileSystem {
  readonly name: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly "used-bytes"?: number | undefined;
  readonly "total-bytes"?: number | undefined;
  readonly "total-bytes-privileged"?: number | undefined;
  readonly disk: readonly Readonly<Record<string, unknown>>[];
}

/** A network interface of the guest, with its addresses. */
export interface NetworkInterface {
  readonly name: string;
  readonly "hardware-address"?: string | undefined;
  readonly "ip-addresses"?:
    readonly { readonly "ip-address": string; readonly "ip-address-type": "ipv4" | "ipv6" | Other; readonly prefix: number }[] | undefined;
  readonly statistics?: Readonly<Record<string, number>> | undefined;
}

/** The guest's system, from its own os-release and uname. */
export interface OsInfo {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly "pretty-name"?: string | undefined;
  readonly version?: string | undefined;
  readonly "version-id"?: string | undefined;
  readonly variant?: string | undefined;
  readonly "variant-id"?: string | undefined;
  readonly "kernel-release"?: string | undefined;
  readonly "kernel-version"?: string | undefined;
  readonly machine?: string | undefined;
}
