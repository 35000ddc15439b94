import { backendText, isPlain, type MemoryBackend, PLAIN, readBackend } from "../../config/memory-backend.ts";
import type { Session } from "../../qmp/session.ts";
import type { Live } from "../facts/live.ts";
import type { Dimm } from "../facts/memory-devices.ts";
import type { Value } from "../model/change.ts";

/** What a DIMM's memory comes from; a text says why that could not be made again. */
export function backendNow({ memdev }: Pick<Dimm, "memdev">, { dimmBackends }: Live): MemoryBackend | string {
  return dimmBackends?.get(memdev) ?? PLAIN;
}

/** Why a DIMM could not be plugged back as it was. */
export function noReturn(dimm: Pick<Dimm, "memdev">, live: Live): string | null {
  const backend = backendNow(dimm, live);
  return typeof backend === "string" ? `of its memory ${dimm.memdev}, ${backend}: so it comes back only with the next start` : null;
}

/** The member of a step, if it is another than usual. */
export function withBackend(backend: MemoryBackend): { readonly backend?: MemoryBackend } {
  return isPlain(backend) ? {} : { backend };
}

/** The member of a change, if it is another than usual and can be said. */
export function backendTextOf(backend: MemoryBackend | string | null): { readonly backend?: string } {
  return backend === null || typeof backend === "string" || isPlain(backend) ? {} : { backend: backendText(backend) };
}

/** A DIMM in one value: its size alone where that says it all. */
export function wholeText(dimm: { readonly size: number; readonly node: number }, backend: MemoryBackend | string | null): Value {
  const more = backendTextOf(backend);
  return dimm.node === 0 && more.backend === undefined ? dimm.size : JSON.stringify({ size: dimm.size, node: dimm.node, ...more });
}

/** A DIMM as such a value has it. */
interface Whole {
  readonly size: number;
  readonly node: number;
  readonly backend?: string;
}

/** The change that gives a DIMM back as such a value has it. @throws UsageError for a backend that is none */
export function whole<C extends { readonly backend?: string }>({ backend: _, ...change }: C, text: string): Omit<C, "backend"> & Whole {
  const { size, node, backend } = JSON.parse(text) as Whole;
  return { ...change, size, node, ...(backend === undefined ? {} : backendTextOf(readBackend(backend))) };
}

/** The backend of a step. */
interface Backed {
  readonly memdev: string;
  readonly size: number;
  readonly backend?: MemoryBackend;
}

interface BackendObject {
  readonly "qom-type": "memory-backend-ram";
  readonly id: string;
  readonly size: number;
}

/** The object that is added. For the compiler it is the plain kind. */
export function backendOf({ memdev, size, backend: { type, properties } = PLAIN }: Backed): BackendObject {
  return { "qom-type": type as "memory-backend-ram", id: memdev, size, ...properties };
}

/** QEMU before 6.0 takes an object's properties in an object of their own. */
export async function addBackend(step: Backed, session: Session): Promise<void> {
  const { "qom-type": type, id, ...props } = backendOf(step);
  const isOld = session.greeting.version.qemu.major < 6;
  await session.execute("object-add", (isOld ? { "qom-type": type, id, props } : { "qom-type": type, id, ...props }) as BackendObject);
}
