import { fromPlain, type Json } from "../json/json-value.ts";

/** An event as QEMU writes it, with the present time first. */
export function eventNow(event: string, data: Readonly<Record<string, unknown>> | undefined): Json {
  const now = Date.now();
  const stamp = { seconds: Math.floor(now / 1000), microseconds: (now % 1000) * 1000 };
  return fromPlain({ timestamp: stamp, event, data });
}
