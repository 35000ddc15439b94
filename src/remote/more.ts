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
  #program: string | undefined;
  readonly #textWith: (program: string) => string;
  /** Whether the whole program is in a file of this host's, and has nobody at its other end. */
  isAlone = false;

  /** `run`: takes it in when it has come. `textWith`: the text of a file that is the whole program. */
  constructor(run: (program: string) => void, textWith: (program: string) => string = () => "") {
    this.#textWith = textWith;
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

  /** The text of a file that is the whole program; undefined while only a part of it is here. */
  text(): string | undefined {
    return this.#program === undefined ? undefined : this.#textWith(this.#program);
  }

  /** It has come; `alone`: in the same file as the first part. */
  take(program: string, alone = false): void {
    if (this.#isHere) return;
    this.#isHere = true;
    this.isAlone = alone;
    this.#program = program;
    this.#run(program);
    this.#came();
  }

  /** It will not come any more. */
  gone(why: Error): void {
    this.#failed(why);
  }
}
