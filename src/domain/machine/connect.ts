/** What a connection of one's own to a machine's monitor takes, in one place to load. */
export { findMachine } from "./find.ts";
export { readStored } from "./lock.ts";
export { openReader, openSession } from "./open.ts";
