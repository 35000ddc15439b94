import { shellWord } from "../domain/model/format.ts";
import { QmpctlError } from "../errors.ts";
import { literal } from "./literal.ts";

/**
 * A text of the far end with the commands in it as they are to be typed here: `qmpctl info web1` there is `qmpctl info ssh://kvm1/web1`
 * here.
 */
export function readdressed(text: string, address: string, domain: string): string {
  if (!text.includes("qmpctl ")) return text;
  const [bare, there] = [literal(shellWord(domain)), shellWord(address)];
  return text.replace(
    new RegExp(`(?<![\\w/.-])qmpctl ([a-z]+) ${bare}(?=$|[\\s;,:.)\`"'])`, "g"),
    (_, verb: string) => `qmpctl ${verb} ${there}`,
  );
}

/** The address of a domain on another host, as `open` takes it. */
export function addressOf(host: string, domain: string): string {
  return `ssh://${host}/${encodeURIComponent(domain).replace(/%(2F|3A|2C|40|2B)/g, (code) => decodeURIComponent(code))}`;
}

/** What the far end answered, with the commands in it as they are to be typed here. */
export function readdress<T>(value: T, host: string, domain: string): T {
  if (typeof value === "string") return readdressed(value, addressOf(host, domain), domain) as T;
  if (Array.isArray(value)) return value.map((each: unknown) => readdress(each, host, domain)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, readdress(each as unknown, host, domain)])) as T;
}

/** An error of the far end, in the same way. */
export function readdressError(error: unknown, host: string, domain: string): unknown {
  if (!(error instanceof QmpctlError)) return error;
  error.message = readdressed(error.message, addressOf(host, domain), domain);
  return Object.assign(error, readdress({ ...error }, host, domain));
}
