import { resolve } from "node:path";
import { unitWord } from "../domain/supervise/unit-text.ts";
import { ownNode, ownProgram } from "../host/own-program.ts";
import { misuse } from "./options.ts";
import type { Io } from "./verb.ts";

/** Debian's folder of node_exporter's textfile collector. */
const USUAL = "/var/lib/prometheus/node-exporter/qmpctl.prom";
/** Variables that say where domains are: a unit has none of the shell's. */
const FOLDERS = ["QMPCTL_CONFIG_DIR", "QMPCTL_RUNTIME_DIR", "QMPCTL_STATE_DIR"] as const;

const TIMER = `[Unit]
Description=Timer of the figures of qmpctl's machines

[Timer]
OnActiveSec=5s
OnUnitActiveSec=15s
AccuracySec=1s

[Install]
WantedBy=timers.target
`;

/**
 * A unit of systemd that writes the metrics of all machines, or the timer of it, with absolute paths. `file`: what is written.
 *
 * @throws UsageError for another kind of unit
 */
export function metricsUnit(kind: string, file: string | undefined, env: Io["env"]): string {
  if (kind === "timer") return TIMER;
  if (kind !== "service") throw misuse(`--unit ${kind}: give service or timer`, kind, "service or timer");
  const program = ownProgram();
  const command = program !== undefined && "path" in program ? [ownNode(), program.path] : ["qmpctl"];
  const words = [...command, "metrics", "--timeout", "5s", "--write", resolve(file ?? USUAL)];
  const folders = FOLDERS.flatMap((name) => (env[name] ? [`Environment=${unitWord(`${name}=${resolve(env[name])}`)}\n`] : []));
  return `[Unit]
Description=Figures of qmpctl's machines, for Prometheus

[Service]
Type=oneshot
${folders.join("")}ExecStart=${words.map((word) => unitWord(word.replaceAll("$", "$$$$"))).join(" ")}
TimeoutStartSec=60
Nice=10
`;
}
