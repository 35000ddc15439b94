/** The threads of a machine by which the kernel is asked. */
export interface Tids {
  readonly main: number;
  readonly vcpus: Readonly<Record<string, number>>;
  readonly iothreads: Readonly<Record<string, number>>;
  /** How long each iothread polls at most. */
  readonly polling: Readonly<Record<string, number>>;
  readonly vhost?: number;
}
