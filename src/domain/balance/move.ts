/** One change of one guest's memory, in bytes. */
export interface Move {
  readonly name: string;
  /** `give-up`: a guest that can't give back what it was asked for is asked no more. */
  readonly kind: "grow" | "shrink" | "give-up";
  readonly from: number;
  readonly to: number;
  /** How far it may go with what is free now; from there to `to` it waits for what others give back in the same round. */
  readonly sure: number;
  /** The guest is in need. */
  readonly needy: boolean;
  readonly why: string;
}
