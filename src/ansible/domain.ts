/** The module `domain`, as it is run on a host. */
import { domainModule } from "./domain-module.ts";
import { runModule } from "./module-process.ts";

/** The arguments of the task. */
declare const given: unknown;

void runModule(domainModule, given);
