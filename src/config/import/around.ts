/** What is known of a machine besides the command line that its converter made. */
export interface Around {
  /** The folder that a start makes for the machine's sockets. */
  readonly folder: string;
  /** Its networks, by the address of the guest's card in lower case. */
  readonly nets: ReadonlyMap<string, Net>;
}

/** What a card of the guest is connected to: QEMU's own network, or a bridge of the host. */
export type Net = { readonly kind: "user" } | { readonly kind: "bridge"; readonly bridge: string };
