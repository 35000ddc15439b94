import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";
import { FAR_END, Layers, type Metafile } from "./layers.ts";

/** What esbuild gives of a build, as far as it is read here. */
interface Built {
  readonly metafile?: unknown;
  readonly outputFiles?: readonly { readonly text: string }[];
}

type Options = Readonly<Record<string, unknown>> & { readonly plugins?: readonly object[] };
type Build = (options: Options) => Promise<Built>;

/**
 * Keeps the names of errors' classes, by which errors travel. Those of all functions would be a tenth of the program, and of the time in
 * which it starts.
 */
const NAMED = {
  name: "named",
  setup(build: PluginBuild): void {
    build.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(
        /^(?:export )?(?:abstract )?class (\w+Error)\b[^{]*\{/gm,
        '$& static readonly name = "$1";',
      ),
      loader: "ts",
    }));
  },
};

interface PluginBuild {
  onLoad(options: { readonly filter: RegExp }, callback: (args: { readonly path: string }) => object): void;
}

/** Builds what is sent to another host and run there: two compressed files, the second of which is sent only when it is needed. */
export async function buildFarEnd(bundle: Build, folder: string): Promise<void> {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { readonly version: string };
  const far = {
    bundle: true,
    write: false,
    metafile: true,
    sourcemap: false,
    minifyIdentifiers: true,
    define: { VERSION: JSON.stringify(version) },
  };
  const build = ({ plugins = [], ...options }: Options): Promise<Built> => bundle({ ...far, ...options, plugins: [NAMED, ...plugins] });
  const start = `src/${FAR_END.start}`;
  const { metafile } = await build({ entryPoints: [start], format: "esm", splitting: true, outdir: folder });
  const layers = new Layers(FAR_END, metafile as Metafile, process.cwd());
  const layer = async (name: string, options: Options): Promise<string> => {
    const contents = layers.entry(name);
    const built = await build({
      ...options,
      stdin: { contents, resolveDir: process.cwd(), sourcefile: `${name}.cjs`, loader: "js" },
      format: "cjs",
      plugins: [layers.plugin(name)],
      // What it is called with: see far-launcher.ts.
      banner: { js: `(function(module,require,offer,${LATER},more,rest){` },
      footer: { js: "})" },
    });
    return withLater(built);
  };
  const launcher = await build({ entryPoints: ["src/cli/far-launcher.ts"], format: "iife" });
  const first = await layer("first", { supported: { "dynamic-import": true } });
  // A function, whose text can be asked for: a program of a timer's is made of it and the two layers, see far-launcher.ts.
  write(`${folder}/far-first.br`, `const FIRST=${first},LAUNCH=function(FIRST,LAUNCH,require,rest,alone){${textOf(launcher)}};${RUN}`);
  write(`${folder}/far-more.br`, await layer("more", { supported: { "dynamic-import": false } }));
}

/** Runs the program with what followed it in stdin. */
const RUN = "LAUNCH(FIRST,LAUNCH,require,rest)";

/** A name that the bundler makes for nothing else. */
const LATER = "$importLater$";

/**
 * The text of a layer in which a part that may not have come yet is waited for: Node's own `import` would look for a file. What the
 * bundler imports later is named by a text in quotes; a method that is called `import` is left as it is.
 *
 * @throws Error when the text has more or fewer of them than the bundler knows of
 */
function withLater(built: Built): string {
  const { outputs } = built.metafile as {
    readonly outputs: Readonly<Record<string, { readonly imports: readonly { readonly kind: string }[] }>>;
  };
  const known = Object.values(outputs).flatMap(({ imports }) => imports.filter(({ kind }) => kind === "dynamic-import"));
  let found = 0;
  const text = textOf(built).replace(/(?<![\w$.])import\((?=["'`])/g, () => (found++, `${LATER}(`));
  if (found !== known.length) throw new Error(`${known.length} modules are imported later, and ${found} of them are in the text`);
  return text;
}

function textOf({ outputFiles = [] }: Built): string {
  return outputFiles.find(({ text }) => text !== "")?.text ?? "";
}

function write(path: string, text: string): void {
  const size = Buffer.byteLength(text);
  writeFileSync(path, brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: size } }));
}
