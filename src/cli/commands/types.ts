import { timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { waitOption } from "../lifecycle.ts";
import { misuse } from "../options.ts";
import { type Call, defineVerb, type Verb } from "../verb.ts";

type Ask = (command: string) => Promise<unknown>;

export const verb: Verb = defineVerb({
  usage: ["types DOMAIN", "types --emulator PROGRAM"],
  summary: "print QEMU's own commands and events as TypeScript",
  details: [
    "The package has types for the QEMUs that it knows. This prints types for yours, newer or patched: qmpctl types --emulator qemu-system-riscv64 > riscv64.ts",
    "They come from QEMU's own query-qmp-schema. To ask a running machine does not disturb it. PROGRAM is started for this, without a machine, and ended.",
  ],
  examples: [
    ["types web1", "of the QEMU that runs this machine"],
    ["types --emulator qemu-system-x86_64", "of an emulator that no machine runs"],
  ],
  options: {
    emulator: { about: "ask this program instead of a machine", value: "PROGRAM" },
    ...waitOption("how long QEMU may take to answer"),
  },
  operands: { names: ["DOMAIN"], required: 0 },
  async run(call) {
    const { args, io } = call;
    const [domain] = args.operands;
    const emulator = args.text("emulator");
    if ((domain === undefined) === (emulator === undefined)) {
      throw misuse(
        domain === undefined ? "DOMAIN: missing" : `${domain}: give a DOMAIN or --emulator, not both`,
        domain,
        "DOMAIN or --emulator PROGRAM",
      );
    }
    io.stdout.write(emulator === undefined ? await ofMachine(call, domain ?? "") : await ofEmulator(call, emulator));
    return EXIT.done;
  },
});

async function ofMachine({ args, io, facade }: Call<never, "timeout">, name: string): Promise<string> {
  const options = { ...timeoutOf(args), signal: io.signal };
  await using domain = await facade.open(name);
  await using monitor = await domain.connect({ ...options, monitor: "any" });
  return await written((command) => monitor.execute(command, undefined, options));
}

async function ofEmulator({ args, io }: Call<never, "timeout">, emulator: string): Promise<string> {
  const { spawnQemu } = await import("../../qmp/spawn.ts");
  const options = { ...timeoutOf(args), signal: io.signal };
  const nothing = ["-machine", "none", "-display", "none", "-nodefaults", "-no-user-config", "-S"];
  await using qemu = await spawnQemu(emulator, nothing, options);
  return await written((command) => qemu.session.execute(command, {}, options));
}

async function written(ask: Ask): Promise<string> {
  const { typesOf } = await import("../../schema/typegen/own.ts");
  return typesOf(ask);
}
