import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where the package has the command line's files, seen from a file of dist/, of dist/parts/, and from here. */
const PLACES = ["./cli/", "../cli/", "../../dist/cli/"];

/** The path of a file of the command line, as this package ships it; undefined where it is not there. */
export function shippedFile(name: string): string | undefined {
  return PLACES.map((place) => fileURLToPath(new URL(place + name, import.meta.url))).find((each) => existsSync(each));
}
