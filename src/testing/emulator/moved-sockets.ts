import { renameSync } from "node:fs";
import { splitOptions } from "../../config/options.ts";
import { AGENT_CHANNEL } from "../transcript/agent-channel.ts";

/**
 * QEMU names the path of this channel to its clients, who compare it. So QEMU is started with the path that it was told, and its socket is
 * moved afterwards, before anybody can know of it.
 */
export function moveAgent(
  path: string | undefined,
  to: string,
): readonly { readonly name: string; readonly upstream: string; readonly listen: string }[] {
  if (path === undefined) return [];
  renameSync(path, to);
  return [{ name: AGENT_CHANNEL, upstream: `unix:${to}`, listen: `unix:${path}` }];
}

/** The command line with its monitors at other places. */
export function moveMonitors(
  args: readonly string[],
  moved: readonly { readonly address: string; readonly upstream: string; readonly words: string }[],
): readonly string[] {
  return splitOptions(args).flatMap(({ words }) => {
    const monitor = moved.find((it) => it.words === words.join(" "));
    if (monitor === undefined) return words;
    const [name = "", value = ""] = words;
    const from = monitor.address.replace(/^unix:/, "").replaceAll(",", ",,");
    return [
      name,
      value.startsWith("tcp:") || value.includes("port=")
        ? tcpToUnix(name, value, monitor.upstream)
        : value.replace(from, monitor.upstream.slice(5)),
    ];
  });
}

function tcpToUnix(name: string, value: string, upstream: string): string {
  if (name.endsWith("qmp")) return `${upstream},server=on,wait=off`;
  const id = /(?:^|,)id=([^,]*)/.exec(value)?.[1] ?? "";
  return `socket,id=${id},path=${upstream.slice(5)},server=on,wait=off`;
}
