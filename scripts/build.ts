/**
 * Builds dist/: declarations by tsc, programs by the bundler that tsx brings along.
 * Few files instead of a hundred, since on Node 20 a module costs about 0.4 ms to load and a command line has no time to lose.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { buildCollection } from "./build/ansible.ts";
import { buildFarEnd } from "./build/far-end.ts";
import { mergeFirst, type Written } from "./build/first.ts";
import { COMMAND_LINE, Layers, type Metafile } from "./build/layers.ts";
import { buildManual } from "./build/manual.ts";

interface Bundler {
  build(options: Readonly<Record<string, unknown>>): Promise<{
    readonly metafile?: unknown;
    readonly outputFiles?: readonly { readonly text: string }[];
  }>;
}

if (process.argv.includes("--help")) {
  console.log("usage: npm run build\nBuilds dist/: declarations by tsc, programs bundled into few files.");
  process.exit(0);
}

const here = createRequire(import.meta.url);
const ofTsx = createRequire(here.resolve("tsx/package.json"));
const { build } = ofTsx("esbuild") as Bundler;

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { readonly version: string };

// Built beside the old one and put in its place when whole: whoever runs dist/ meanwhile sees one or the other.
const fresh = mkdtempSync("dist.");
process.on("exit", () => rmSync(fresh, { recursive: true, force: true }));
execFileSync(
  process.execPath,
  [here.resolve("typescript/package.json").replace("package.json", "bin/tsc"), "--emitDeclarationOnly", "--outDir", fresh],
  { stdio: "inherit" },
);
const common = {
  bundle: true,
  platform: "node",
  target: "node20",
  // Names stay, so that a stack trace can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "inline",
  // With the sources in them: a debugger, and `node --enable-source-maps`, show what was written, and the package needs no src/ for it.
  sourcemap: "linked",
  logLevel: "warning",
};

/**
 * The command line is CommonJS: what it needs of the loader of ES modules costs a tenth of its time. It is a few files, so that each verb
 * loads little more than it needs; see layers.ts.
 */
async function buildCommandLine(): Promise<void> {
  const { metafile } = await build({
    ...common,
    entryPoints: ["src/cli/main.ts"],
    outdir: fresh,
    format: "esm",
    splitting: true,
    write: false,
    metafile: true,
  });
  const layers = new Layers(COMMAND_LINE, metafile as Metafile, process.cwd());
  const program = { ...common, format: "cjs", outdir: `${fresh}/cli`, supported: { "dynamic-import": false } };
  await Promise.all(
    layers.names.map((name) =>
      build({
        ...program,
        stdin: { contents: layers.entry(name), resolveDir: process.cwd(), sourcefile: `${name}.cjs`, loader: "js" },
        outdir: undefined,
        outfile: `${fresh}/cli/${name}.js`,
        plugins: [layers.plugin(name)],
        // A function, as Node makes one of each CommonJS module: see launcher.ts.
        banner: { js: "/* a function */ (function (exports, require, module, __filename, __dirname) {" },
        footer: { js: "})" },
      }),
    ),
  );
  const digest = createHash("sha256");
  for (const name of layers.names) digest.update(readFileSync(`${fresh}/cli/${name}.js`));
  const define = { BUILD: JSON.stringify(digest.digest("hex").slice(0, 12)) };
  await build({ ...program, entryPoints: { main: "src/cli/launcher.ts" }, define });
}

/** What other processes run, which need nothing of the rest. */
const TESTING = ["testing/index", "testing/emulator/fake-emulator", "testing/emulator/recording-emulator"];

async function buildPackage(): Promise<void> {
  const { metafile } = await build({
    ...common,
    entryPoints: ["index", ...TESTING].map((path) => `src/${path}.ts`),
    outdir: fresh,
    outbase: "src",
    chunkNames: "parts/[name]-[hash]",
    splitting: true,
    format: "esm",
    metafile: true,
  });
  const others = TESTING.map((path) => `${path}.js`);
  await mergeFirst((options) => build({ ...common, format: "esm", ...options }), metafile as Written, fresh, others);
}

await Promise.all([
  buildPackage(),
  buildCommandLine(),
  buildFarEnd((options) => build({ ...common, ...options }), `${fresh}/cli`),
  buildManual(fresh, version),
  buildCollection((options) => build({ ...common, ...options }), fresh, version),
]);
writeFileSync(`${fresh}/cli/package.json`, '{ "type": "commonjs" }\n');
chmodSync(fresh, 0o755);
if (existsSync("dist")) renameSync("dist", `${fresh}.old`);
renameSync(fresh, "dist");
rmSync(`${fresh}.old`, { recursive: true, force: true });
