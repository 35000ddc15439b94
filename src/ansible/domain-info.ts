/** The module `domain_info`, as it is run on a host. */
import { infoModule } from "./info-module.ts";
import { runModule } from "./module-process.ts";

/** The arguments of the task. */
declare const given: unknown;

void runModule(infoModule, given);
