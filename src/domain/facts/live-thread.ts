/** One thread that has a mask of its own. */
export interface LiveThread {
  readonly tid: number;
  /** A Linux CPU list; null if the thread is not on this host. */
  readonly affinity: string | null;
}

/** One iothread, by its id. */
export interface LiveIothread extends LiveThread {
  readonly id: string;
}
