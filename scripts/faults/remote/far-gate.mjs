// Loaded into every Node of a host of the rig (NODE_OPTIONS of its sshd). Each writing call of the file system asks at the gate of gate.ts,
// before it and after it, and waits for the answer: an error's code, or nothing.
import { createRequire, syncBuiltinESMExports } from "node:module";
import { connect } from "node:net";

const gate = process.env.QMPCTL_FAR_GATE;

function ask(when, call, path) {
  return new Promise((resolve) => {
    const socket = connect(gate);
    let answer = "";
    socket.setEncoding("utf8").on("data", (text) => (answer += text));
    socket.on("error", () => resolve(""));
    socket.on("close", () => resolve(answer.trim()));
    socket.write(`${JSON.stringify({ when, call, path })}\n`);
  });
}

const writes = {
  open: (args) => /[wax+]/.test(String(args[1] ?? "r")) || Number(args[1]) & 3,
  rename: () => true,
  rm: () => true,
};

if (gate !== undefined) {
  const promises = createRequire(import.meta.url)("node:fs/promises");
  for (const [call, isWrite] of Object.entries(writes)) {
    const original = promises[call];
    promises[call] = async (...args) => {
      if (!isWrite(args)) return original(...args);
      const path = String(call === "rename" ? args[1] : args[0]);
      const code = await ask("before", call, path);
      if (code !== "") throw Object.assign(new Error(`${code}: injected, ${call} '${path}'`), { code, path });
      const result = await original(...args);
      await ask("after", call, path);
      return result;
    };
  }
  syncBuiltinESMExports();
}
