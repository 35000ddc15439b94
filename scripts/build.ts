/**
 * Builds dist/: declarations by tsc, programs by the bundler that tsx brings along.
 * Few files instead of a hundred, since on Node 20 a module costs about 0.4 ms to load and a command line has no time to lose.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

interface Bundler {
  build(options: Readonly<Record<string, unknown>>): Promise<unknown>;
}

if (process.argv.includes("--help")) {
  console.log("usage: npm run build\nBuilds dist/: declarations by tsc, programs bundled into few files.");
  process.exit(0);
}

const here = createRequire(import.meta.url);
const ofTsx = createRequire(here.resolve("tsx/package.json"));
const { build } = ofTsx("esbuild") as Bundler;

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
await Promise.all([
  build({
    ...common,
    entryPoints: [
      "src/index.ts",
      "src/testing/index.ts",
      "src/testing/emulator/fake-emulator.ts",
      "src/testing/emulator/recording-emulator.ts",
    ],
    outdir: fresh,
    outbase: "src",
    chunkNames: "parts/[name]-[hash]",
    splitting: true,
    format: "esm",
  }),
  // The command line is one file, and CommonJS: what it needs of the loader of ES modules costs a tenth of its time.
  build({
    ...common,
    entryPoints: { program: "src/cli/main.ts", main: "src/cli/launcher.ts" },
    outdir: `${fresh}/cli`,
    format: "cjs",
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "MODULE_URL" },
    banner: { js: 'const MODULE_URL = require("node:url").pathToFileURL(__filename).href;' },
  }),
]);
writeFileSync(`${fresh}/cli/package.json`, '{ "type": "commonjs" }\n');
chmodSync(fresh, 0o755);
if (existsSync("dist")) renameSync("dist", `${fresh}.old`);
renameSync(fresh, "dist");
rmSync(`${fresh}.old`, { recursive: true, force: true });
