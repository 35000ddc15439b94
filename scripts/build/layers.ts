import { join, relative, resolve } from "node:path";

/** What esbuild tells of a build, as far as it is read here. */
export interface Metafile {
  readonly inputs: Readonly<Record<string, { readonly imports: readonly Import[] }>>;
}

interface Import {
  readonly path: string;
  readonly kind: string;
  readonly external?: boolean;
  /** As it is written. */
  readonly original?: string;
}

/** A file of the command line, and the modules that it begins with. What these import, and no layer before has, is in it too. */
interface Layer {
  readonly name: string;
  readonly first: readonly string[];
}

/** Each module that it passes on is loaded when something of it is used: most changes are of one resource, and need no other. */
const REGISTRY = "domain/resources/all.ts";

/**
 * The files that the command line is loaded from, each when something of it is first needed. A module is in the first of them that needs it
 * at once, so a layer needs only those before it, and every module is there once: classes are told apart by who they are.
 * The last layer has all the rest.
 */
const LAYERS: readonly Layer[] = [
  {
    name: "program",
    first: [
      "cli/main.ts",
      "cli/command.ts",
      "cli/open.ts",
      "cli/change.ts",
      // Errors of the floors beneath: who tells of them and who throws them need the same ones.
      ...["config/config-error.ts", "domain/model/errors.ts", "domain/model/format.ts", "wire/errors.ts"],
      ...["info", "vcpuinfo", "vcpupin", "setmem", "setvcpus"].map((verb) => `cli/commands/${verb}.ts`),
    ],
  },
  // What no verb that ends well needs: kept with the first layer, it would be compiled anew each time.
  { name: "failure", first: ["cli/failure.ts", "cli/advice.ts", "cli/help.ts"] },
  { name: "completion", first: ["cli/candidates.ts", "cli/aliases.ts"] },
  { name: "machine", first: ["domain/domain.ts", "domain/machine/owner.ts", "domain/views/inspect.ts", "domain/facts/guest-agent.ts"] },
  {
    name: "change",
    first: [
      ...["domain/change/transaction.ts", "domain/change/plan.ts", "cli/report.ts"],
      ...["memory", "virtio-mem", "whole-memory", "vcpus", "vcpu-pin"].map((resource) => `domain/resources/${resource}.ts`),
    ],
  },
  { name: "resources", first: [REGISTRY] },
  { name: "remote", first: ["cli/remote.ts"] },
  { name: "more", first: [] },
];

/** Which layer each module is in. */
export class Layers {
  readonly names: readonly string[] = LAYERS.map(({ name }) => name);
  readonly #layerOf = new Map<string, string>();
  readonly #metafile: Metafile;
  readonly #root: string;

  /** `metafile`: of a build of the whole program; `root`: the folder that its paths are meant from. */
  constructor(metafile: Metafile, root: string) {
    this.#metafile = metafile;
    this.#root = root;
    for (const { name, first } of LAYERS)
      for (const path of first)
        if (path === REGISTRY) this.#putImports(join("src", path), name);
        else this.#put(join("src", path), name);
    for (const path of Object.keys(metafile.inputs)) this.#put(path, LAYERS.at(-1)?.name ?? "");
  }

  #put(path: string, layer: string): void {
    const input = this.#metafile.inputs[path];
    if (input === undefined) throw new Error(`${path}: not a module of the command line`);
    if (this.#layerOf.has(path)) return;
    this.#layerOf.set(path, layer);
    if (path !== join("src", REGISTRY)) this.#putImports(path, layer);
  }

  #putImports(path: string, layer: string): void {
    for (const { path: imported, kind, external } of this.#metafile.inputs[path]?.imports ?? [])
      if (kind === "import-statement" && external !== true) this.#put(imported, layer);
  }

  /** The text of a layer's own entry: its modules that others ask for, each run when it is first asked for. */
  entry(layer: string): string {
    const wanted = new Set<string>();
    for (const [path, { imports }] of Object.entries(this.#metafile.inputs)) {
      for (const { path: imported, external } of imports)
        if (external !== true && this.#layerOf.get(imported) === layer && this.#isFromOutside(path, layer)) wanted.add(imported);
    }
    const members = [...wanted].map((path) => `${JSON.stringify(path)}: once(() => require(${JSON.stringify(resolve(this.#root, path))}))`);
    const start = layer === LAYERS[0]?.name ? `require(${JSON.stringify(resolve(this.#root, "src/cli/main.ts"))});` : "";
    return `${ONCE}module.exports = { ${members.join(",\n")} };\n${start}`;
  }

  /** Whether what a module imports of this layer is asked for, and not put in its place by the bundler. */
  #isFromOutside(path: string, layer: string): boolean {
    return this.#layerOf.get(path) !== layer || path === join("src", REGISTRY);
  }

  /**
   * A plugin of esbuild that takes what is in another layer from there: it is asked for as `./LAYER.js:MODULE`, or `./LAYER.js?MODULE` when
   * used, see launcher.ts.
   */
  plugin(layer: string): object {
    return {
      name: "layers",
      setup: (build: PluginBuild): void => {
        build.onResolve({ filter: /.*/ }, ({ path, importer }) => {
          const from = relative(this.#root, importer);
          const { imports = [] } = this.#metafile.inputs[from] ?? {};
          const module = imports.find(({ original, external }) => original === path && external !== true)?.path;
          const other = module === undefined ? undefined : this.#layerOf.get(module);
          if (module === undefined || (other === layer && !this.#isFromOutside(from, layer))) return undefined;
          return { path: `./${other}.js${from === join("src", REGISTRY) ? "?" : ":"}${module}`, external: true };
        });
      },
    };
  }
}

interface PluginBuild {
  onResolve(
    options: { readonly filter: RegExp },
    callback: (args: { readonly path: string; readonly importer: string }) => object | undefined,
  ): void;
}

/** Many modules may ask for the same one, and what is made for them is made once. */
const ONCE = "const once = (make) => { let made; return () => (made ??= make()); };\n";
