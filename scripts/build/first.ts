import { rmSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";

/** What esbuild tells of the files that it has written, as far as it is read here. */
export interface Written {
  readonly outputs: Readonly<Record<string, { readonly imports: readonly Import[]; readonly exports: readonly string[] }>>;
}

interface Import {
  readonly path: string;
  readonly kind: string;
  readonly external?: boolean;
}

interface Resolving {
  onResolve(
    options: { readonly filter: RegExp },
    callback: (args: { readonly path: string; readonly resolveDir: string }) => object | undefined,
  ): void;
}

type Build = (options: Readonly<Record<string, unknown>>) => Promise<unknown>;

/**
 * Puts what the package loads at once into one file: loading a file takes half a millisecond, and the bundler makes one of what each set of
 * later parts has in common. Parts that name a file of before find there what is in the new one. What `others` load at once too stays a
 * file: they have a process of their own, and need no more.
 */
export async function mergeFirst(build: Build, { outputs }: Written, folder: string, others: readonly string[]): Promise<void> {
  const [index, first] = [`${folder}/index.js`, `${folder}/parts/first.js`];
  const shared = new Set(others.flatMap((path) => [...loadedBy(`${folder}/${path}`, outputs)]));
  const merged = [...loadedBy(index, outputs)].filter((path) => path !== index && !shared.has(path));
  const named = (path: string): readonly string[] => outputs[path]?.exports ?? [];
  const passOn = merged.map((path, position) => {
    const names = named(path).map((name) => `${name} as ${nameIn(position, name)}`);
    return `export { ${names.join(", ")} } from ${JSON.stringify(resolve(path))};`;
  });
  const inside = new Set([index, ...merged].map((path) => resolve(path)));
  await build({
    stdin: {
      contents: [`export * from ${JSON.stringify(resolve(index))};`, ...passOn].join("\n"),
      resolveDir: folder,
      sourcefile: "first.js",
    },
    outfile: first,
    plugins: [
      {
        name: "first",
        setup: (resolving: Resolving): void =>
          resolving.onResolve({ filter: /^[./]/ }, ({ path, resolveDir }) => {
            const found = resolve(resolveDir, path);
            return inside.has(found) ? { path: found } : { path: `./${relative(dirname(resolve(first)), found)}`, external: true };
          }),
      },
    ],
  });
  for (const [position, path] of merged.entries())
    replace(
      path,
      named(path).map((name) => `${nameIn(position, name)} as ${name}`),
      "./first.js",
    );
  replace(index, named(index), "./parts/first.js");
}

/** The files that are loaded with this one, and itself. */
function loadedBy(path: string, outputs: Written["outputs"], found: Set<string> = new Set()): ReadonlySet<string> {
  if (found.has(path)) return found;
  found.add(path);
  for (const { path: imported, kind, external } of outputs[path]?.imports ?? [])
    if (kind === "import-statement" && external !== true) loadedBy(imported, outputs, found);
  return found;
}

/** Two files may have a name in common. */
function nameIn(position: number, name: string): string {
  return `part${position}_${name}`;
}

function replace(path: string, names: readonly string[], from: string): void {
  writeFileSync(path, `export { ${names.join(", ")} } from ${JSON.stringify(from)};\n`);
  rmSync(`${path}.map`);
}
