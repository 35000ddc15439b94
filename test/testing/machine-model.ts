import {
  parseTranscript,
  QmpFailure,
  type ReplayOptions,
  type ReplayServer,
  type SchemaEntry,
  startReplay,
} from "../../src/testing/index.ts";
import { formatJson, fromPlain } from "../../src/testing/json/json-value.ts";

/**
 * What a real QEMU without a guest said of itself: enough for a fake to pass for it in any conversation that only asks, stops and continues
 * it.
 */
export interface Likeness {
  readonly greeting: object;
  readonly schema: readonly SchemaEntry[];
  /** Replies by command. */
  readonly replies: Readonly<Record<string, object>>;
  /** What it says to `migrate-pause` when nothing migrates. */
  readonly refusal: string;
}

/** Takes the likeness by asking. */
export async function likenessOf(ask: (command: string) => Promise<any>): Promise<Likeness> {
  const replies: Record<string, object> = {};
  for (const command of ["query-name", "query-status", "query-version", "query-uuid"]) replies[command] = await ask(command);
  const refusal = await ask("migrate-pause").then(
    () => "",
    (error: unknown) => (error as Error).message,
  );
  return {
    greeting: { QMP: { version: replies["query-version"], capabilities: ["oob"] } },
    schema: await ask("query-qmp-schema"),
    replies,
    refusal,
  };
}

/** A fake with that likeness, its two monitors as QEMU's. */
export async function startLike(likeness: Likeness): Promise<ReplayServer> {
  let server: ReplayServer | undefined;
  let status = "prelaunch";
  const running = (): boolean => status === "running";
  const answers: NonNullable<ReplayOptions["answers"]> = {
    ...Object.fromEntries(Object.entries(likeness.replies).map(([command, reply]) => [command, () => reply])),
    "query-status": () => ({ ...likeness.replies["query-status"], status, running: running() }),
    stop: () => {
      if (running()) server?.emit("STOP");
      status = running() ? "paused" : status;
    },
    cont: () => {
      if (!running()) server?.emit("RESUME");
      status = "running";
    },
    "migrate-pause": () => {
      throw new QmpFailure("GenericError", likeness.refusal);
    },
  };
  server = await startReplay({ transcript: parseTranscript(storyOf(likeness), "quit.qmp"), schema: likeness.schema, answers });
  return server;
}

function storyOf({ greeting }: Likeness): string {
  const hello = formatJson(fromPlain(greeting));
  const reply = '<- {"return": {}, "id": 2}';
  const shutdown =
    '<- {"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}';
  return [
    "#! connect 1 control",
    `<- ${hello}`,
    '-> {"execute":"qmp_capabilities","id":1}',
    '<- {"return": {}, "id": 1}',
    '-> {"execute":"quit","id":2}',
    ...(hello.includes('"major": 5') ? [reply, shutdown] : [shutdown, reply]),
    "#! exit 0",
    "",
  ].join("\n");
}
