/** Who holds a lock. Each is undefined where it can't be known: `command` is what was asked of it, `since` a time in ISO 8601. */
export interface LockHolder {
  readonly pid: number | undefined;
  readonly command: string | undefined;
  readonly since: string | undefined;
}
