import { version } from "node:process";
import { nodeProblem } from "./node-version.ts";

// Imported first by all that is imported from outside: what an old Node lacks would show much later, as something else.
const problem = nodeProblem(version);
if (problem !== undefined) throw new Error(problem);
