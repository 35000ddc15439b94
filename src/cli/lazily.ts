/** Modules of Node that are there before anything of ours is. */
const THERE: ReadonlySet<string> = new Set(["node:fs", "node:path", "node:process", "node:events", "node:buffer"]);

/** One of Node's modules that is loaded when something of it is first used: each takes up to 2 ms, and most are for what happens seldom. */
export function lazily(id: string, load: (id: string) => object): object {
  if (THERE.has(id)) return load(id);
  let loaded: object | undefined;
  const module = (): object => (loaded ??= load(id));
  return new Proxy(
    {},
    {
      get: (_target, name) => Reflect.get(module(), name),
      has: (_target, name) => Reflect.has(module(), name),
      // For those who take all of it; what is not there itself has to be said to be changeable.
      ownKeys: () => Reflect.ownKeys(module()),
      getOwnPropertyDescriptor: (_target, name) => {
        const found = Reflect.getOwnPropertyDescriptor(module(), name);
        return found === undefined ? undefined : { ...found, configurable: true };
      },
    },
  );
}
