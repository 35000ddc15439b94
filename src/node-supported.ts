import { version } from "node:process";
import { nodeProblem } from "./node-version.ts";

// Every entry point imports this file first. Without it, an old Node would fail much later, with an error about something else.
const problem = nodeProblem(version);
if (problem !== undefined) throw new Error(problem);
