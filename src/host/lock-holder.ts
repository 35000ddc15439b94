/**
 * Who holds a lock. Each member is undefined if it is not known. `command` is the holder's command line or what it is doing, `since` a time
 * in ISO 8601.
 */
export interface LockHolder {
  readonly pid: number | undefined;
  readonly command: string | undefined;
  readonly since: string | undefined;
}
