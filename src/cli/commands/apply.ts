import { messageOf, QmpctlError } from "../../errors.ts";
import { change, changeOptions } from "../change.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  usage: ["apply DOMAIN FILE"],
  summary: "make memory, vCPUs and pins what a file says, as one change",
  details: [
    'FILE is JSON with what is wanted, in the shape of a config: {"memory": {"max": "2GiB", "current": "1GiB"}, "vcpus": {"max": 4, "current": 2, "pin": {"0": "0-1"}}}; what is left out stays as it is, a pin of null means all CPUs; - reads standard input.',
    "Only the difference is done, under one lock and with one commit, and undone together. Done twice, it changes nothing the second time.",
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "FILE"], required: 2 },
  async run(call) {
    const [{ readFile }, { readAllocation }] = await Promise.all([import("node:fs/promises"), import("../../domain/allocation.ts")]);
    const path = call.args.operand(1);
    const text = await readFile(path === "-" ? "/dev/stdin" : path, "utf8").catch((error: unknown) => {
      throw new QmpctlError("config", `${path}: can't be read: ${messageOf(error)}`, { cause: error });
    });
    const wanted = readAllocation(text, path);
    return change(call, (machine, options) => machine.apply(wanted, options));
  },
};
