// Loaded into the command line under test (node --import). Makes one file system call fail, or kills the process at it.
// QMPCTL_FAULT: {"call": name, "path": regular expression, "when": "before" | "after", "nth": 1, "act": "kill" | an error's code}
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const fault = JSON.parse(process.env.QMPCTL_FAULT ?? "null");
let seen = 0;

function act(path) {
  if (fault.act === "kill") process.kill(process.pid, "SIGKILL");
  throw Object.assign(new Error(`${fault.act}: injected, ${fault.call} '${path}'`), { code: fault.act, path });
}

/** Only writing calls are steps of a change. */
const writes = {
  open: (args) => /[wax+]/.test(String(args[1] ?? "r")) || Number(args[1]) & 3,
  writeFile: () => true,
  rename: () => true,
  rm: () => true,
  mkdir: () => true,
  link: () => true,
  unlink: () => true,
};

if (fault !== null) {
  for (const [call, isWrite] of Object.entries(writes)) {
    const original = fs.promises[call];
    fs.promises[call] = async (...args) => {
      const path = String(call === "rename" || call === "link" ? args[1] : args[0]);
      const hit =
        isWrite(args) && (fault.call === "any" || fault.call === call) && new RegExp(fault.path).test(path) && ++seen === fault.nth;
      if (hit && fault.when === "before") act(path);
      const result = await original(...args);
      if (hit && fault.when === "after") act(path);
      return result;
    };
  }
  // Small files of ours are written at once. They are no steps of a change, so "any" does not count them.
  const { openSync } = fs;
  fs.openSync = (...args) => {
    const hit = fault.call === "openSync" && writes.open(args) && new RegExp(fault.path).test(String(args[0])) && ++seen === fault.nth;
    if (hit && fault.when === "before") act(String(args[0]));
    return openSync(...args);
  };
  syncBuiltinESMExports();
}
