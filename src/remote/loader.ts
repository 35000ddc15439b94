import { Buffer } from "node:buffer";
import { UsageError } from "../errors.ts";

/** The oldest Node that the program runs on. */
export const OLDEST_NODE: readonly [major: number, minor: number] = [20, 19];

/**
 * What the far end runs: it says that it is there, reads a line that has the program, and runs that. It has to work with any Node, to be
 * able to say which it is. That the line is whole, ssh has proved.
 */
const LOADER = `var p=process,i=p.stdin,b=[],v=p.versions.node.split(".");
p.stdout.write(JSON.stringify({qmpctl:"loader",protocol:[1,1],node:p.version})+"\\n");
i.on("end",function(){if(b)p.exit(0)});
i.on("data",function d(c){if(v[0]<${OLDEST_NODE[0]}||v[0]==${OLDEST_NODE[0]}&&v[1]<${OLDEST_NODE[1]})return;
var n=c.indexOf(10);b.push(n<0?c:c.slice(0,n));if(n<0)return;i.removeListener("data",d);i.pause();
var t=JSON.parse(Buffer.concat(b).toString()).program;b=null;
require("vm").runInThisContext("(function(require,rest){"+require("zlib").brotliDecompressSync(Buffer.from(t,"base64"))+"\\n})",{filename:"qmpctl-serve.js"})(require,c.slice(n+1))})`;

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
