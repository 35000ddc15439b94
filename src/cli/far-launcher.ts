/**
 * What the loader runs at the far end: the first layer of the program there, which has what most calls read, and the way to the rest. No
 * file of it is there. The rest is sent when it is needed; the build puts `later` in the place of each `import(…)` of the first layer.
 */
import { Buffer } from "node:buffer";
import { runInThisContext } from "node:vm";
import { brotliDecompressSync } from "node:zlib";
import { More } from "../remote/more.ts";
import { lazily } from "./lazily.ts";

declare const require: (id: string) => object;
/** What followed this program in stdin. */
declare const rest: Uint8Array;
/** The first layer, which the build puts in front of this, and this, as functions. */
declare const FIRST: Layer;
declare const LAUNCH: () => void;
/** The other part, where this is in a file of a host's that a timer runs: then nobody is there to send it. */
declare const alone: string | undefined;

/** A layer as a function: see `scripts/build/far-end.ts`. It puts its modules into `module`, or offers them. */
type Layer = (
  module: { exports: Modules },
  load: typeof require,
  offer: (modules: Modules) => void,
  later: typeof importLater,
  more: More,
  rest: Uint8Array,
) => void;
/** The modules of a layer that others ask for, each run when it is first asked for. */
type Modules = Readonly<Record<string, () => object>>;

const layers = new Map<string, Modules>();
const more = new More((program) => {
  // Compiled when it is first used: what only reads may never be.
  let layer: Modules | undefined;
  const text = (): string => brotliDecompressSync(Buffer.from(program, "base64")).toString();
  const run = (): Modules => modulesOf(runInThisContext(text(), { filename: "qmpctl-more.js" }) as Layer);
  layers.set("more", new Proxy({}, { get: (_, name: string) => (layer ??= run())[name] }));
}, textWith);
if (alone !== undefined) more.take(alone, true);

/** The text of a file that runs this program without anybody at its other end. */
function textWith(program: string): string {
  const parts = `const FIRST=${FIRST.toString()},LAUNCH=${LAUNCH.toString()};`;
  return `${parts}\nLAUNCH(FIRST,LAUNCH,require,Buffer.alloc(0),${JSON.stringify(program)});\n`;
}

/** A module of Node, or of a layer as `./LAYER.js:MODULE`; as `./LAYER.js?MODULE` it is loaded when something of it is used. */
function load(id: string): object {
  if (!id.startsWith("./")) return lazily(id, require);
  if (id.includes("?")) return lazily(id.replace("?", ":"), load);
  const [layer = "", module = ""] = id.slice("./".length).split(".js:");
  const found = layers.get(layer)?.[module];
  if (found === undefined) throw new Error(`${id}: no such part of the program`);
  return found();
}

async function importLater(id: string): Promise<object> {
  // The first layer is not whole while it runs.
  await (id.startsWith("./more.js") ? more.here() : undefined);
  return load(id);
}

function modulesOf(layer: Layer): Modules {
  const module = { exports: {} };
  layer(module, load, (modules) => (module.exports = modules), importLater, more, rest);
  return module.exports;
}

layers.set("first", modulesOf(FIRST));
