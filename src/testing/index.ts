import "../node-supported.ts";
/**
 * QEMU without QEMU: record what a real one says on its monitors, and replay it on a real socket.
 *
 * ```ts
 * await using server = await startReplay({ transcript: "fixtures/setmem.qmp" });
 * await using session = await connect(server.address);
 * ```
 */
export { type AgentOptions, type FakeAgent, startAgent } from "./agent-server.ts";
export { type Departure, DepartureError, QmpFailure } from "./departure.ts";
export type { Directive } from "./directive.ts";
export { type RecordedMonitor, type Recorder, type RecorderOptions, startRecorder } from "./recorder.ts";
export { type MonitorPlace, type ReplayOptions, type ReplayServer, startReplay, type Weather } from "./replay-server.ts";
export type { Said } from "./request.ts";
export { fakeMachine, recordingMachine, type StandIn } from "./stand-in.ts";
export { type Entry, formatTranscript, parseTranscript, readTranscript, type Transcript, TranscriptError } from "./transcript.ts";
export type { SchemaEntry } from "./vocabulary.ts";
