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
  { name: "change", first: ["domain/change/transaction.ts", "domain/change/plan.ts", "cli/report.ts"] },
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
    for (const { name, first } of LAYERS) for (const path of first) this.#put(join("src", path), name);
    for (const path of Object.keys(metafile.inputs)) this.#put(path, LAYERS.at(-1)?.name ?? "");
  }

  #put(path: string, layer: string): void {
    const input = this.#metafile.inputs[path];
    if (input === undefined) throw new Error(`${path}: not a module of the command line`);
    if (this.#layerOf.has(path)) return;
    this.#layerOf.set(path, layer);
    for (const { path: imported, kind, external } of input.imports) {
      if (kind === "import-statement" && external !== true) this.#put(imported, layer);
    }
  }

  /** The text of a layer's own entry: its modules that others ask for, each run when it is first asked for. */
  entry(layer: string): string {
    const wanted = new Set<string>();
    for (const [path, { imports }] of Object.entries(this.#metafile.inputs)) {
      for (const { path: imported, external } of imports)
        if (external !== true && this.#layerOf.get(imported) === layer && this.#layerOf.get(path) !== layer) wanted.add(imported);
    }
    const members = [...wanted].map((path) => `${JSON.stringify(path)}: once(() => require(${JSON.stringify(resolve(this.#root, path))}))`);
    const start = layer === LAYERS[0]?.name ? `require(${JSON.stringify(resolve(this.#root, "src/cli/main.ts"))});` : "";
    return `${ONCE}module.exports = { ${members.join(",\n")} };\n${start}`;
  }

  /** A plugin of esbuild that takes what is in another layer from there: it is asked for as `./LAYER.js:MODULE`, see launcher.ts. */
  plugin(layer: string): object {
    return {
      name: "layers",
      setup: (build: PluginBuild): void => {
        build.onResolve({ filter: /.*/ }, ({ path, importer }) => {
          const { imports = [] } = this.#metafile.inputs[relative(this.#root, importer)] ?? {};
          const module = imports.find(({ original, external }) => original === path && external !== true)?.path;
          const other = module === undefined ? undefined : this.#layerOf.get(module);
          return module === undefined || other === layer ? undefined : { path: `./${other}.js:${module}`, external: true };
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
