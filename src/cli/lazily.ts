/** Modules that Node loads before our own code. */
const THERE: ReadonlySet<string> = new Set(["node:fs", "node:path", "node:process", "node:events", "node:buffer"]);

/** One of Node's modules, loaded at its first use. Loading one takes up to 2 ms, and most are rarely needed. */
export function lazily(id: string, load: (id: string) => object): object {
  if (THERE.has(id)) return load(id);
  let loaded: object | undefined;
  const module = (): object => (loaded ??= load(id));
  return new Proxy(
    {},
    {
      get: (_target, name) => Reflect.get(module(), name),
      has: (_target, name) => Reflect.has(module(), name),
      // For code that copies all members. A proxy must call a member configurable if its own target does not have it.
      ownKeys: () => Reflect.ownKeys(module()),
      getOwnPropertyDescriptor: (_target, name) => {
        const found = Reflect.getOwnPropertyDescriptor(module(), name);
        return found === undefined ? undefined : { ...found, configurable: true };
      },
    },
  );
}
