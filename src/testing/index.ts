import "../node-supported.ts";
/**
 * QEMU without QEMU: record what a real one says on its monitors, and replay it on a real socket.
 *
 * ```ts
 * await using server = await startReplay({ transcript: "fixtures/setmem.qmp" });
 * await using session = await connect(server.address);
 * ```
 */
export { type AgentOptions, type FakeAgent, startAgent } from "./server/agent-server.ts";
export { type Mismatch, MismatchError, QmpFailure } from "./protocol/mismatch.ts";
export type { Directive } from "./transcript/directive.ts";
export { type RecordedMonitor, type Recorder, type RecorderOptions, startRecorder } from "./record/recorder.ts";
export { type MonitorPlace, type ReplayOptions, type ReplayServer, startReplay, type Weather } from "./server/replay-server.ts";
export type { Said } from "./protocol/request.ts";
export { fakeMachine, recordingMachine, type StandIn } from "./emulator/stand-in.ts";
export {
  type Entry,
  formatTranscript,
  parseTranscript,
  readTranscript,
  type Transcript,
  TranscriptError,
} from "./transcript/transcript.ts";
export type { SchemaEntry } from "./protocol/vocabulary.ts";
