/**
 * Whether a domain is known by an address that may lead to another host: its files are other ones than those of this host, and it is not
 * known in which folder relative paths would be meant.
 */
export function mayHaveOtherFiles(domain: string): boolean {
  return /^(exec|tls|tcp|plain-tcp):/.test(domain);
}
