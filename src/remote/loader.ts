import { Buffer } from "node:buffer";
import { UsageError } from "../errors.ts";

/**
 * What the far end runs: it says that it is there, takes a program of the length and the digest that it is told first, and runs it. It has
 * to work with any Node, to be able to say which it is.
 */
const LOADER = `var p=process,i=p.stdin,b=Buffer.alloc(0),h;p.stdout.write(JSON.stringify({qmpctl:"loader",protocol:[1,1],node:p.version})+"\\n");
i.on("end",function(){if(!h||b.length<h.size)p.exit(0)});
i.on("data",function d(c){b=Buffer.concat([b,c]);if(!h){var n=b.indexOf(10);if(n<0)return;h=JSON.parse(b.slice(0,n).toString());b=b.slice(n+1)}
if(b.length<h.size)return;i.removeListener("data",d);i.pause();var z=b.slice(0,h.size),r=b.slice(h.size);
if(require("crypto").createHash("sha256").update(z).digest("hex")!==h.sha256){p.stderr.write("the program was damaged on its way\\n");p.exit(1)}
require("vm").runInThisContext("(function(require,rest){"+require("zlib").gunzipSync(z)+"\\n})",{filename:"qmpctl-serve.js"})(require,r)})`;

/**
 * The command that the far end's shell runs. It is a constant: no word of a user is in it, and it means the same to sh, bash, zsh, fish and
 * tcsh. `node`: the path of Node there, from an option of the user's own.
 *
 * @throws UsageError when that path has a character that a shell may take for more
 */
export function loaderCommand(node: string = "node"): string {
  if (!/^[\w./+-]+$/.test(node) || node.startsWith("-"))
    throw new UsageError(`${JSON.stringify(node)}: can't be the path of Node on another host`, {
      value: node,
      expected: "a path of letters, digits and / . _ + -",
    });
  const code = Buffer.from(LOADER).toString("base64");
  return `exec ${node} -e 'eval(Buffer.from("${code}","base64").toString())'`;
}

/** What is sent first: how long the program is, and its digest. */
export function programHead(program: Uint8Array, sha256: string): string {
  return `${JSON.stringify({ size: program.length, sha256 })}\n`;
}
