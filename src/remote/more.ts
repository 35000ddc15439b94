/**
 * What is left of a program whose first part came alone. It is sent when something of it is needed, or before it is: the near end knows
 * what most calls take.
 */
export class More {
  readonly #run: (program: string) => void;
  readonly #here: Promise<void>;
  #came: () => void = () => {};
  #failed: (error: Error) => void = () => {};
  #ask: () => void = () => {};
  #isAsked = false;
  #isHere = false;

  /** `run`: takes it in when it has come. */
  constructor(run: (program: string) => void) {
    this.#run = run;
    this.#here = new Promise((resolve, reject) => ([this.#came, this.#failed] = [resolve, reject]));
    // Who waits for it is told; most never do.
    this.#here.catch(() => {});
  }

  /** How the near end is asked for it. */
  askBy(ask: () => void): void {
    this.#ask = ask;
  }

  /** Resolves when it is here, and asks for it if nobody has. @throws the error of `gone` */
  here(): Promise<void> {
    if (!this.#isHere && !this.#isAsked) {
      this.#isAsked = true;
      this.#ask();
    }
    return this.#here;
  }

  /** It has come. */
  take(program: string): void {
    if (this.#isHere) return;
    this.#isHere = true;
    this.#run(program);
    this.#came();
  }

  /** It will not come any more. */
  gone(why: Error): void {
    this.#failed(why);
  }
}
