/** Who manages a machine so far. */
export type FirstOwner = "libvirt" | "proxmox";

/**
 * A machine that another program manages: a domain of libvirt's by its name, or by its XML; a machine of Proxmox's by its number; or what
 * their converters printed, which was kept, where `file` is its path. `connect`: libvirt's address, as `qemu:///system`; else libvirt's own
 * default.
 */
export type ImportSource =
  | { readonly from: "libvirt"; readonly name: string; readonly connect?: string }
  | { readonly from: "libvirt"; readonly xml: string; readonly connect?: string }
  | { readonly from: "proxmox"; readonly id: string }
  | { readonly from: FirstOwner; readonly text: string; readonly file: string };

/** A machine that was taken over: a domain of ours, which does not run. */
export interface Imported {
  readonly name: string;
  /** The path of its config; null after a dry run. */
  readonly path: string | null;
  /** The config's text. */
  readonly config: string;
  /** What was replaced or left out, and what is to be done yet. */
  readonly notes: readonly string[];
}
