/** What a unit of systemd for a machine says. Times in milliseconds. */
export interface UnitSpec {
  /** The domain's name. */
  readonly domain: string;
  /** Whose manager it is for: that of the system, or of a user. */
  readonly manager: "system" | "user";
  /** As whom it runs, in the system's manager; null for root, and in a user's own. */
  readonly user: string | null;
  /** The program and its words, absolute. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What has to be mounted before it starts: absolute paths. */
  readonly files: readonly string[];
  readonly startTimeout: number;
  readonly shutdownTimeout: number;
}

/** How much longer systemd waits than `qmpctl run` does, in seconds: that ends a machine by force first. */
const SLACK = 30;

/** Exit codes of `qmpctl run` that another try would not change: a wrong command line, a refused start. */
const FUTILE = "2 3";

/** Makes the text of a unit. Sources: systemd.unit(5), systemd.service(5), systemd.kill(5), systemd.resource-control(5). */
export function unitText(spec: UnitSpec): string {
  const { domain, manager, user, command, environment, files, startTimeout, shutdownTimeout } = spec;
  const isSystem = manager === "system";
  const lines = [
    "[Unit]",
    `Description=Machine ${domain} (qmpctl)`,
    ...(isSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
    ...mountable(files).map((file) => `RequiresMountsFor=${unitWord(file)}`),
    "# Each start counts, those by hand too.",
    "StartLimitIntervalSec=5min",
    "StartLimitBurst=10",
    "",
    "[Service]",
    "# READY=1 comes from systemd-notify, which is not the main process.",
    "Type=notify",
    "NotifyAccess=all",
    ...(user === null ? [] : [`User=${user.replaceAll("%", "%%")}`]),
    ...Object.entries(environment).map(([name, value]) => `Environment=${unitWord(`${name}=${value}`)}`),
    `ExecStart=${commandText(command)}`,
    "# The guest is asked to shut down by the main process, so that alone gets SIGTERM; what is left then is killed.",
    "KillMode=mixed",
    `TimeoutStartSec=${secondsOf(startTimeout)}`,
    `TimeoutStopSec=${secondsOf(shutdownTimeout)}`,
    "Restart=on-failure",
    "RestartSec=5s",
    `RestartPreventExitStatus=${FUTILE}`,
    "SuccessExitStatus=130",
    "# QEMU has a group of its own below this one, for its share of the CPUs.",
    "Delegate=yes",
    "",
    "[Install]",
    `WantedBy=${isSystem ? "multi-user" : "default"}.target`,
  ];
  return `${lines.join("\n")}\n`;
}

function secondsOf(time: number): string {
  return `${Math.ceil(time / 1000) + SLACK}s`;
}

/** A path with a control character can't be named there by every systemd. */
function mountable(files: readonly string[]): readonly string[] {
  return [...new Set(files)].filter((file) => !/\p{Cc}/u.test(file));
}

/** A dollar sign would be a variable's. The colon in front of the program says that there are none. */
function commandText(command: readonly string[]): string {
  const words = command.map(unitWord).join(" ");
  return words.includes("$") ? `:${words}` : words;
}

/** A word of a unit's line, quoted where it has to be: `%` would be a specifier, and a blank the end of the word. */
export function unitWord(text: string): string {
  const plain = text.replaceAll("%", "%%");
  if (/^[\w@%+=:,./-]+$/.test(plain)) return plain;
  const quoted = plain.replace(/[\\"]/g, "\\$&").replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `"${quoted}"`;
}

/**
 * The name of a domain's unit. Only `+` is a character of domains' names that none of units' can have; it is written as systemd-escape
 * does.
 */
export function unitName(domain: string): string {
  return `qmpctl-${domain.replaceAll("+", "\\x2b")}.service`;
}
