// Loaded into the command line under test (node --import). Each write to a control group asks at the gate of gate.ts, before and after.
import { execFile } from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { promisify } from "node:util";

const gate = process.env.QMPCTL_GATE;
const run = promisify(execFile);

/** What the gate says. */
async function ask(when, path) {
  const { stdout } = await run("sh", [
    "-c",
    'echo "$1" >"$0/asked"; read -r verdict <"$0/answer"; echo "$verdict"',
    gate,
    `${when} write ${path}`,
  ]);
  return stdout.trim();
}

if (gate !== undefined) {
  const original = fs.promises.writeFile;
  fs.promises.writeFile = async (...args) => {
    const path = String(args[0]);
    if (!path.startsWith("/sys/fs/cgroup/")) return original(...args);
    if ((await ask("before", path)) === "refuse")
      throw Object.assign(new Error(`EINVAL: injected, write '${path}'`), { code: "EINVAL", path });
    await original(...args);
    await ask("after", path);
  };
  syncBuiltinESMExports();
}
