/** What a module works in: the process that runs it, and how it was asked. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The effective user id. */
  readonly uid: number;
  /** Aborted by an interrupt, and while nothing is begun also when the connection ends. */
  readonly signal: AbortSignal;
  /** Nothing is touched, and what would be done is told. */
  readonly check: boolean;
  /** Texts before and after are wanted. */
  readonly diff: boolean;
  /** Called before something is touched. @throws QmpctlError when nobody waits for the answer any more: then nothing more is begun */
  begins(): void;
}
