import type { Domain, Facade } from "../../src/domain/facade.ts";
import { FRAMING } from "../../src/remote/frame.ts";
import { Link } from "../../src/remote/link.ts";
import { Outcomes } from "../../src/remote/outcomes.ts";
import { serve, type ServeOptions } from "../../src/remote/serve.ts";
import { Framer } from "../../src/wire/framing.ts";
import { Intake } from "../../src/wire/socket.ts";
import type { Transport } from "../../src/wire/transport.ts";

/** Two ends of a connection in this process, and what cuts it. */
export interface Ends extends AsyncDisposable {
  readonly link: Link;
  /** What the far end said first. */
  readonly greeting: Readonly<Record<string, unknown>>;
  /** The connection is gone, as when ssh is killed. */
  cut(): void;
  /** Resolves when the far end has ended. */
  readonly served: Promise<void>;
}

/** A near and a far end, of a host that has this one domain. */
export async function connectEnds(
  domain: Partial<Domain>,
  folder: string,
  options: Partial<ServeOptions> & { readonly host?: Partial<Facade> } = {},
): Promise<Ends> {
  const { host = {}, ...rest } = options;
  const [near, far] = wire();
  const facade = { open: async (name: string) => ({ name, async [Symbol.asyncDispose]() {}, ...domain }) as Domain, ...host } as Facade;
  const served = serve(facade, far, { version: "1", outcomes: new Outcomes(folder), ...rest });
  const messages = near[Symbol.asyncIterator]();
  const first = await messages.next();
  const greeting = (first.value as readonly Readonly<Record<string, unknown>>[])[0] ?? {};
  const link = new Link(
    "kvm1",
    { ...near, [Symbol.asyncIterator]: () => messages },
    {
      greeted: Promise.resolve({ boot: greeting["boot"] as string | undefined }),
    },
  );
  const cut = (): void => {
    void near.close();
    void far.close();
  };
  return {
    link,
    greeting,
    cut,
    served,
    async [Symbol.asyncDispose]() {
      cut();
      await served;
    },
  };
}

/** Two transports that hear each other, by the same text as on a real wire. */
function wire(): readonly [Transport, Transport] {
  const intakes = [new Intake(new Framer("near", FRAMING)), new Intake(new Framer("far", FRAMING))] as const;
  const end = (own: Intake, other: Intake): Transport => ({
    peer: "wire",
    send: (text) => void setImmediate(() => other.read(Buffer.from(text as string))),
    close() {
      own.inbox.end();
      other.inbox.end();
      return Promise.resolve();
    },
    [Symbol.asyncIterator]: () => own.inbox,
  });
  return [end(intakes[0], intakes[1]), end(intakes[1], intakes[0])];
}
