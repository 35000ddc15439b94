import { valuesOf } from "./option-values.ts";
import type { Option } from "./options.ts";

/** The name by which a guest agent knows its channel, whatever the guest. */
const AGENT_PORT = "org.qemu.guest_agent.0";

/**
 * The path at which QEMU listens for those who talk to the guest's agent, as its options say: `-chardev socket,path=…,id=X` behind
 * `-device virtserialport,chardev=X,name=org.qemu.guest_agent.0`. Undefined if it has no such channel, or connects to somebody else's
 * socket.
 */
export function agentSocket(options: readonly Option[]): string | undefined {
  const ports = options
    .filter(({ name }) => name === "device")
    .map((option) => valuesOf(option, "driver"))
    .filter((values) => values.get("driver") === "virtserialport" && values.get("name") === AGENT_PORT);
  const sockets = options
    .filter(({ name }) => name === "chardev")
    .map((option) => valuesOf(option, "backend"))
    .filter((values) => values.get("backend") === "socket" && isOn(values.get("server")));
  const found = ports.map((port) => sockets.find((socket) => socket.get("id") === port.get("chardev"))?.get("path"));
  return found.find((path) => path?.startsWith("/") === true);
}

/** `server`, `server=on`, and `server=yes` of older scripts. */
function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== "off" && value !== "no";
}
