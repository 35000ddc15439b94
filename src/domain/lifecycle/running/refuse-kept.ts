import type { Process } from "../../../host/processes.ts";
import { readWords } from "../../machine/command-line.ts";
import { keeperOf, tracesOf } from "../../machine/running/keeper.ts";
import { StateError } from "../../model/errors.ts";
import { whyKept } from "./advice.ts";

/** What goes wrong where two programs manage one machine. */
const TWO_MASTERS: Readonly<Record<string, string>> = {
  libvirt: "libvirt holds the machine's monitor, which takes one client, and its next action would undo ours",
  proxmox: "what Proxmox does next would undo ours",
  incus: "what Incus does next would undo ours",
  container: "its files and sockets are those of the container, and whoever runs that starts and ends it",
};

/**
 * Refuses a QEMU that somebody else manages: two masters of one machine.
 *
 * @throws StateError that says who manages it, how that is known, and what to do instead
 */
export function refuseKept(process: Process): void {
  const keeper = keeperOf(process, readWords(process.argv), tracesOf(process));
  if (keeper === null) return;
  const { by, name, proofs, isSure } = keeper;
  const known = { keeper: by, keptAs: name, proofs, isSure };
  const shown = isSure ? ` (shown by ${proofs.join(", ")})` : "";
  throw new StateError(
    `process ${process.pid}: ${whyKept(known)}${shown}: ${TWO_MASTERS[by] ?? ""}; --force adopts it all the same`,
    "running",
  );
}
