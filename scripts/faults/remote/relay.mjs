// Stands for `ssh` (QMPCTL_SSH): everything goes through the wire of wire.ts, which runs the real one.
// relay.mjs SOCKET WORD...
import { connect } from "node:net";

const [path, ...argv] = process.argv.slice(2);
const ids = { pid: process.pid, argv };
const [talk, errors] = [connect(path), connect(path)];
talk.write(`${JSON.stringify(ids)}\n`);
errors.write(`${JSON.stringify({ ...ids, errors: true })}\n`);
process.stdin.pipe(talk);
talk.pipe(process.stdout);
for (const socket of [talk, errors, process.stdout]) socket.on("error", () => {});
let said = "";
errors.setEncoding("utf8").on("data", (text) => (said += text));
errors.on("end", () => {
  const [words = "", how = "{}"] = said.split("\0");
  process.stderr.write(words);
  const { code = 255, signal } = JSON.parse(how);
  if (signal) process.kill(process.pid, signal);
  process.stdout.end(() => process.exit(code));
});
