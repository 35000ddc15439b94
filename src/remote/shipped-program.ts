import { readFileSync } from "node:fs";
import { HostError } from "../errors.ts";
import { farProgram, type FarProgram } from "./far-program.ts";
import { shippedFile } from "./shipped-file.ts";

/** The program as this package ships it. */
export const shippedProgram: FarProgram = farProgram((name) => {
  const path = shippedFile(name);
  if (path === undefined) throw new HostError(`the package has no program for other hosts: dist/cli/${name} is missing`);
  return readFileSync(path);
});
