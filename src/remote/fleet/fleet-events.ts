import type { MonitorEvent } from "../../domain/facade.ts";
import type { Crew } from "./crew.ts";
import { merged } from "./merged.ts";
import { type OpenDomain, openDomains } from "./open-domains.ts";

/** One event of one machine. */
export interface FleetEvent {
  readonly host: string;
  readonly domain: string;
  readonly event: MonitorEvent;
}

/** How the events of a fleet are watched. */
export interface FleetEventOptions {
  /** How many hosts are connected to at once. */
  readonly atOnce?: number | undefined;
  /** Ends the watch. */
  readonly signal?: AbortSignal | undefined;
  /** Called when the events of a machine, or of a host, have come to an end, with the reason unless its machine has ended. */
  readonly onEnd?: ((ended: { readonly host: string; readonly domain: string | null; readonly error?: Error }) => void) | undefined;
}

/**
 * The events of all machines that are meant, as they come, until all have ended. One that is lost is told, and the others go on. Who reads
 * slowly is waited for, as far as a stream of events can wait.
 *
 * @throws UsageError when a pattern matches nothing anywhere
 */
export async function* fleetEvents(
  crew: Crew,
  meant: string,
  options: FleetEventOptions = {},
): AsyncGenerator<FleetEvent, void, undefined> {
  const { signal, onEnd = () => {} } = options;
  await using open = await openDomains(crew, meant, options);
  const { found, failed } = open;
  for (const { member, name, error } of failed) onEnd({ host: member.name, domain: name, error });
  yield* merged(
    found.map((each) => eventsOf(each, signal)),
    {
      signal,
      onEnd: (at, error) => {
        const { member, name } = found[at] as OpenDomain;
        onEnd({ host: member.name, domain: name, ...(error === undefined ? {} : { error }) });
      },
    },
  );
}

async function* eventsOf({ member, name, domain }: OpenDomain, signal: AbortSignal | undefined): AsyncGenerator<FleetEvent> {
  await using monitor = await domain.connect({ monitor: "any", signal });
  using events = monitor.events();
  for await (const event of events) yield { host: member.name, domain: name, event };
}
