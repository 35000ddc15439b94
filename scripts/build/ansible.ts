import { mkdirSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";
import { COLLECTION, collectionReadme, moduleDocs } from "../../src/ansible/collection.ts";
import { OLDEST_NODE } from "../../src/remote/loader.ts";
import { yamlOf } from "./yaml.ts";

/** What esbuild gives of a build, as far as it is read here. */
interface Built {
  readonly outputFiles?: readonly { readonly text: string }[];
}

type Build = (options: Readonly<Record<string, unknown>>) => Promise<Built>;

/** What Ansible puts the arguments of a task in place of; in a module it stands once. */
const ARGUMENTS = "<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>";

/**
 * Writes the Ansible collection into a folder, as `ansible-galaxy` would lay it out. A module is one file that is sent with every task, so
 * its program is compressed in it, and unpacked where it runs.
 */
export async function buildCollection(build: Build, folder: string, version: string): Promise<void> {
  const root = `${folder}/ansible/ansible_collections/${COLLECTION.namespace}/${COLLECTION.name}`;
  mkdirSync(`${root}/plugins/modules`, { recursive: true });
  mkdirSync(`${root}/meta`);
  writeFileSync(`${root}/galaxy.yml`, yamlOf({ ...COLLECTION.galaxy, version }));
  writeFileSync(`${root}/meta/runtime.yml`, yamlOf(COLLECTION.runtime));
  writeFileSync(`${root}/README.md`, collectionReadme(version));
  await Promise.all(
    Object.entries(COLLECTION.modules).map(async ([name, entry]) => {
      writeFileSync(`${root}/plugins/modules/${name}.js`, moduleText(name, version, await programOf(build, entry)));
      writeFileSync(`${root}/plugins/modules/${name}.yml`, yamlOf(moduleDocs(name, version)));
    }),
  );
}

/** A module's program, as one script that takes `require` and `given` from around it. @throws Error when there is none */
async function programOf(build: Build, entry: string): Promise<string> {
  const { outputFiles = [] } = await build({
    entryPoints: [entry],
    outfile: "module.js",
    write: false,
    format: "iife",
    minifyIdentifiers: true,
    // Errors are kept by the names of their classes.
    keepNames: true,
    sourcemap: false,
    supported: { "dynamic-import": false },
  });
  const [program] = outputFiles;
  if (program === undefined) throw new Error(`${entry}: nothing was built of it`);
  return program.text;
}

/** A module as Ansible runs it. What comes before the program works with any Node, to be able to say which it is. */
function moduleText(name: string, version: string, program: string): string {
  const packed = brotliCompressSync(program, {
    params: { [constants.BROTLI_PARAM_LGWIN]: 22, [constants.BROTLI_PARAM_SIZE_HINT]: Buffer.byteLength(program) },
  });
  const [major, minor] = OLDEST_NODE;
  return `#!/usr/bin/node
// ${COLLECTION.namespace}.${COLLECTION.name}.${name} ${version}, of the package qmpctl. License: MIT. Its program is compressed below.
var given = ${ARGUMENTS};
(function (packed) {
  var node = process.versions.node.split(".").map(Number);
  if (node[0] < ${major} || (node[0] === ${major} && node[1] < ${minor})) {
    var msg = "Node " + process.version + " is too old: it needs ${major}.${minor} or newer; ansible_node_interpreter names another one";
    process.stdout.write(JSON.stringify({ changed: false, failed: true, msg: msg }) + "\\n");
    return;
  }
  function load(name) { return process.getBuiltinModule(name); }
  var program = load("zlib").brotliDecompressSync(Buffer.from(packed, "base64")).toString("latin1");
  load("vm").runInThisContext("(function(require,given){" + program + "\\n})", { filename: "qmpctl-${name}.js" })(load, given);
})("${Buffer.from(packed).toString("base64")}");
`;
}
