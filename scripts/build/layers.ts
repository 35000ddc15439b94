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

/** A file of a program, and the modules that it begins with. What these import, and no layer before has, is in it too. */
interface Layer {
  readonly name: string;
  readonly first: readonly string[];
  /**
   * All of its modules are in one scope, and run when it is loaded: nearly all are needed each time. Else each is a function, which V8 has
   * to read twice, once to find its end and once to run it.
   */
  readonly isWhole?: boolean;
}

/** A program in layers, and the module that it starts with. */
export interface Program {
  readonly start: string;
  readonly layers: readonly Layer[];
}

/** Each module that it passes on is loaded when something of it is used: most changes are of one resource, and need no other. */
const REGISTRY = "domain/resources/all.ts";

/**
 * The files that the command line is loaded from, each when something of it is first needed. A module is in the first of them that needs it
 * at once, so a layer needs only those before it, and every module is there once: classes are told apart by who they are.
 * The last layer has all the rest.
 */
export const COMMAND_LINE: Program = {
  start: "cli/main.ts",
  layers: [
    {
      name: "program",
      first: [
        "cli/main.ts",
        "cli/command.ts",
        "cli/open.ts",
        "cli/change.ts",
        // Errors of the floors beneath: who tells of them and who throws them need the same ones.
        ...["config/config-error.ts", "domain/model/errors.ts", "domain/model/format.ts", "wire/errors.ts"],
        // What a conversation takes, with a machine here or with another host.
        ...["builtin-module.ts", "deadline.ts", "digest.ts", "shape.ts", "wire/framing.ts", "wire/socket.ts"],
        ...["info", "vcpuinfo", "vcpupin", "setmem", "setvcpus"].map((verb) => `cli/commands/${verb}.ts`),
      ],
    },
    // What no verb that ends well needs: kept with the first layer, it would be compiled anew each time.
    { name: "failure", first: ["cli/failure.ts", "cli/advice.ts", "cli/help.ts"] },
    { name: "completion", first: ["cli/candidates.ts", "cli/completion-domains.ts", "cli/aliases.ts"] },
    { name: "machine", first: ["domain/domain.ts", "domain/machine/owner.ts", "domain/views/inspect.ts", "domain/facts/guest-agent.ts"] },
    {
      name: "change",
      first: [
        ...["domain/change/transaction.ts", "domain/change/plan.ts", "cli/report.ts"],
        ...["memory", "virtio-mem", "whole-memory", "vcpus", "vcpu-pin"].map((resource) => `domain/resources/${resource}.ts`),
      ],
    },
    { name: "resources", first: [REGISTRY] },
    { name: "remote", first: ["cli/elsewhere.ts", "cli/remote.ts"] },
    { name: "more", first: [] },
  ],
};

/** What is sent to another host: first what answers the calls of `FIRST` in `src/remote/link.ts`. */
export const FAR_END: Program = {
  start: "cli/far.ts",
  layers: [
    {
      name: "first",
      isWhole: true,
      first: [
        ...["cli/far.ts", "domain/domain.ts", "domain/facts/guest-agent.ts", "domain/machine/connect.ts"],
        ...["inspect", "inspect-each", "list"].map((view) => `domain/views/${view}.ts`),
      ],
    },
    { name: "more", first: [] },
  ],
};

/** Which layer each module is in. */
export class Layers {
  readonly names: readonly string[];
  readonly #start: string;
  readonly #whole: ReadonlySet<string>;
  readonly #layerOf = new Map<string, string>();
  readonly #metafile: Metafile;
  readonly #root: string;

  /** `metafile`: of a build of the whole program; `root`: the folder that its paths are meant from. */
  constructor({ start, layers }: Program, metafile: Metafile, root: string) {
    this.names = layers.map(({ name }) => name);
    this.#start = start;
    this.#whole = new Set(layers.filter(({ isWhole }) => isWhole).map(({ name }) => name));
    this.#metafile = metafile;
    this.#root = root;
    for (const { name, first } of layers)
      for (const path of first)
        if (path === REGISTRY) this.#putImports(join("src", path), name);
        else this.#put(join("src", path), name);
    for (const path of Object.keys(metafile.inputs)) this.#put(path, this.names.at(-1) ?? "");
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

  /**
   * The text of a layer's own entry: it offers its modules that others ask for. Each is run when it is first asked for, if the layer is not
   * whole.
   */
  entry(layer: string): string {
    const wanted = new Set<string>();
    for (const [path, { imports }] of Object.entries(this.#metafile.inputs)) {
      for (const { path: imported, kind, external } of imports)
        if (external !== true && this.#layerOf.get(imported) === layer && this.#isAskedFor(path, kind, layer)) wanted.add(imported);
    }
    const start = layer === this.names[0] ? JSON.stringify(resolve(this.#root, "src", this.#start)) : undefined;
    const paths = [...wanted].map((path) => ({ name: JSON.stringify(path), full: JSON.stringify(resolve(this.#root, path)) }));
    if (!this.#whole.has(layer)) {
      const members = paths.map(({ name, full }) => `${name}: once(() => require(${full}))`);
      return `${ONCE}module.exports = { ${members.join(",\n")} };\n${start === undefined ? "" : `require(${start});`}`;
    }
    const imports = paths.map(({ full }, at) => `import * as module${at} from ${full};\n`);
    const members = paths.map(({ name }, at) => `${name}: () => module${at}`);
    return `${imports.join("")}${start === undefined ? "" : `import ${start};\n`}offer({ ${members.join(",\n")} });`;
  }

  /** Whether what a module imports of this layer is asked for, and not put in its place by the bundler. */
  #isAskedFor(by: string, kind: string, layer: string): boolean {
    const isLater = kind === "dynamic-import" && this.#whole.has(layer);
    return isLater || this.#layerOf.get(by) !== layer || by === join("src", REGISTRY);
  }

  /**
   * A plugin of esbuild that takes what is in another layer from there: it is asked for as `./LAYER.js:MODULE`, or `./LAYER.js?MODULE` when
   * used, see launcher.ts.
   */
  plugin(layer: string): object {
    return {
      name: "layers",
      setup: (build: PluginBuild): void => {
        build.onResolve({ filter: /.*/ }, ({ path, importer, kind }) => {
          const from = relative(this.#root, importer);
          const { imports = [] } = this.#metafile.inputs[from] ?? {};
          const module = imports.find(({ original, external }) => original === path && external !== true)?.path;
          const other = module === undefined ? undefined : this.#layerOf.get(module);
          if (module === undefined || (other === layer && !this.#isAskedFor(from, kind, layer))) return undefined;
          return { path: `./${other}.js${from === join("src", REGISTRY) ? "?" : ":"}${module}`, external: true };
        });
      },
    };
  }
}

interface PluginBuild {
  onResolve(
    options: { readonly filter: RegExp },
    callback: (args: { readonly path: string; readonly importer: string; readonly kind: string }) => object | undefined,
  ): void;
}

/** Many modules may ask for the same one, and what is made for them is made once. */
const ONCE = "const once = (make) => { let made; return () => (made ??= make()); };\n";
