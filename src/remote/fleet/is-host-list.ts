/**
 * Whether a text means more than one plain `[user@]host[:port]`: a list, a range, a group or an exclusion. An IPv6 address in brackets is
 * one host. This imports nothing, because it is asked of every `-H`.
 */
export function isHostList(text: string): boolean {
  return /^[@!]|,/.test(text) || /[[\]]/.test(text.replace(/^([^@[\]]*@)?\[[^[\]]*:[^[\]]*:[^[\]]*\]/, ""));
}
