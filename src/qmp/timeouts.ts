/** Timeouts by command, in milliseconds; Infinity for none. `*` is for all commands that are not named. */
export type Timeouts = Readonly<Record<string, number>>;

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/**
 * How long a command may take if the caller says nothing. QEMU runs commands one after another, so each timeout covers waiting for earlier
 * commands too. Commands that wait for disks, networks or a guest get more.
 */
const KNOWN: readonly (readonly [RegExp, number])[] = [
  [
    /^(device_add|device_del|quit|query-migrate|query-block(stats)?|query-named-block-nodes|balloon|chardev-.*|netdev_.*|object-.*)$/,
    MINUTE,
  ],
  [
    /^(migrate.*|block.*|drive-.*|nbd-.*|transaction|snapshot-.*|savevm|loadvm|delvm|dump-guest-memory|screendump|human-monitor-command|x-blockdev-.*|change-.*|eject|replay-.*|calc-dirty-rate|pmemsave|memsave|job-.*)$/,
    10 * MINUTE,
  ],
];
const OTHERS = 30 * SECOND;

/** The timeout of a command: from the caller's table, else from ours. */
export function timeoutOf(command: string, own: Timeouts | undefined): number {
  const chosen = own !== undefined && Object.hasOwn(own, command) ? own[command] : own?.["*"];
  if (chosen !== undefined) return chosen;
  const known = memory.get(command);
  if (known !== undefined) return known;
  const timeout = KNOWN.find(([names]) => names.test(command))?.[1] ?? OTHERS;
  // Bounded, because a caller may make up names.
  if (memory.size < 1000) memory.set(command, timeout);
  return timeout;
}

const memory = new Map<string, number>();
