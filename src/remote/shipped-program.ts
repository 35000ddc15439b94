import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HostError } from "../errors.ts";
import { farProgram, type FarProgram } from "./far-program.ts";

/** Where the package has it, seen from a file of dist/, of dist/parts/, and from here. */
const PLACES = ["./cli/", "../cli/", "../../dist/cli/"];

/** The program as this package ships it. */
export const shippedProgram: FarProgram = farProgram((name) => {
  const path = PLACES.map((place) => fileURLToPath(new URL(place + name, import.meta.url))).find((each) => existsSync(each));
  if (path === undefined) throw new HostError(`the package has no program for other hosts: dist/cli/${name} is missing`);
  return readFileSync(path);
});
