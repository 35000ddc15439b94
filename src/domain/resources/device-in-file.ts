import { readDeviceWords } from "../../config/device-words-text.ts";
import { ABSENT, deviceText } from "./device-text.ts";
import type { Complain } from "./resource.ts";

/** A device as a file asks for it. */
interface DeviceInFile {
  readonly resource: "device";
  readonly id: string;
  readonly words: string;
}

/** The devices of an allocation file; null means absent. */
export function devicesIn(value: unknown, place: string, complain: Complain): readonly DeviceInFile[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    complain(place, value, 'an object, as {"rng1": ["-device", "virtio-rng-pci,id=rng1"]}');
    return [];
  }
  return Object.entries(value).flatMap(([id, words]: readonly [string, unknown]): readonly DeviceInFile[] => {
    if (words === null) return [{ resource: "device", id, words: ABSENT }];
    if (!Array.isArray(words) || !words.every((word) => typeof word === "string")) {
      complain(`${place}.${id}`, words, 'a list of words, as ["-device", "virtio-rng-pci,id=rng1"], or null');
      return [];
    }
    return [{ resource: "device", id, words: deviceText(readDeviceWords(words)) }];
  });
}
