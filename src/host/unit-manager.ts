import { runSystemd } from "./systemd-tool.ts";

/** How long systemd may take to answer, in milliseconds: a busy host reads its units for long. */
const TIMEOUT = 60_000;

/** Whether a unit runs, or begins or ends to; false where systemd does not know it. `isUser`: of our user's own manager. */
export async function isActive(name: string, isUser: boolean): Promise<boolean> {
  const state = await runSystemd("systemctl", [...manager(isUser), "show", "--value", "--property=ActiveState", "--", name], TIMEOUT).catch(
    () => "",
  );
  return !["", "inactive", "failed"].includes(state.trim());
}

/** Has a manager read its units again. @throws HostError with systemd's words */
export async function reloadUnits(isUser: boolean): Promise<void> {
  await runSystemd("systemctl", ["--no-ask-password", ...manager(isUser), "daemon-reload"], TIMEOUT);
}

function manager(isUser: boolean): readonly string[] {
  return isUser ? ["--user"] : [];
}
