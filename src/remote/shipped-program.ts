import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HostError } from "../errors.ts";
import { farProgram, type FarProgram } from "./far-program.ts";

/** Where the package has it, seen from a file of dist/, of dist/parts/, and from here. */
const PLACES = ["./cli/far.js.gz", "../cli/far.js.gz", "../../dist/cli/far.js.gz"];

/** The program as this package ships it. @throws HostError when it is not there */
export function shippedProgram(): FarProgram {
  const path = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((each) => existsSync(each));
  if (path === undefined) throw new HostError("the package has no program for other hosts: dist/cli/far.js.gz is missing");
  return farProgram(readFileSync(path));
}
