import type { ChildExit } from "../wire/child.ts";
import { type Unreachable, UnreachableError } from "./errors.ts";
import type { HostAddress } from "./host-address.ts";

/** How long ssh may take to reach a host, in seconds. */
const CONNECT_TIMEOUT = 10;

/**
 * The command line for the user's own OpenSSH: it reads their ssh_config, and uses their agent, their jump hosts, and a connection that
 * ControlMaster holds. Nothing of it is about trust: that is theirs.
 */
export function sshCommand(program: string, { host, user, port }: HostAddress, command: string): readonly string[] {
  return [
    ...[program, "-T", "-o", "BatchMode=yes", "-o", `ConnectTimeout=${CONNECT_TIMEOUT}`],
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...["--", host, command],
  ];
}

/** What ssh's own words mean, the first that fits: a jump host's refusal also ends in a connection that was closed. */
const MEANINGS: readonly (readonly [words: RegExp, why: Unreachable, message: string])[] = [
  [/could not resolve hostname|name or service not known/i, "resolve", "no such host"],
  [/host key verification failed|host identification has changed|no matching host key/i, "host-key", "its key is not the known one"],
  [/permission denied|too many authentication failures/i, "auth", "it does not let us in"],
  [/connection refused/i, "refused", "nobody listens there"],
  [/timed out|no route to host|network is unreachable/i, "timeout", "no answer"],
  [/kex_exchange_identification|connection (closed|reset) by .* port|banner exchange/i, "throttled", "it takes no more connections now"],
];

/** The status with which a shell says that there is no such program, and that of ssh itself when it fails. */
const NO_PROGRAM = 127;
const OWN_FAILURE = 255;

/** How many of ssh's last lines are its own words: what stands before them may be the host's banner. Fewer go into a message. */
const OWN_LINES = 3;
const LAST_LINES = 2;

/** Why there was no conversation, by how ssh ended. `said`: what the far side said instead, for a message. */
export function unreachable(host: string, { code, lastWords }: ChildExit, said: string = ""): UnreachableError {
  const lines = lastWords
    .split("\n")
    .map((line) => line.trim())
    // Neither a frame, nor that the connection through a jump host or a proxy is gone too: what is before it says why.
    .filter((line) => line !== "" && !/^@+$|UNKNOWN port 65535/.test(line));
  const words = lines.slice(-LAST_LINES).join("; ");
  const isOwn = code === OWN_FAILURE || code === null;
  // Some shells end with 1.
  if (code === NO_PROGRAM || (!isOwn && /(^|: )(command )?not found\W*$/i.test(lines.at(-1) ?? "")))
    return new UnreachableError(host, "no-node", "there is no Node there that its login finds; --remote-node PATH names it", {
      lastWords: words,
    });
  if (!isOwn) return new UnreachableError(host, "other", `its login ended with ${code}`, { lastWords: said === "" ? words : said });
  const own = lines.slice(-OWN_LINES).join("\n");
  const [, why, message] = MEANINGS.find(([each]) => each.test(own)) ?? [];
  return new UnreachableError(host, why ?? "other", message ?? `ssh ended with ${code}`, { lastWords: words });
}
