import { type Answer } from "../../src/ansible/answer.ts";
import { domainModule } from "../../src/ansible/domain-module.ts";
import { infoModule } from "../../src/ansible/info-module.ts";
import type { Surroundings } from "../../src/ansible/surroundings.ts";
import type { Scene } from "../domain/scene.ts";

/** The variables that lead to the folders of a scene. */
export function variablesOf({ options }: Pick<Scene, "options">): Readonly<Record<string, string>> {
  return { QMPCTL_CONFIG_DIR: options.configDir, QMPCTL_RUNTIME_DIR: options.runtimeDir, QMPCTL_STATE_DIR: options.stateDir };
}

/** Runs a task of the module `domain` in this process, on the domains of a scene. */
export function task(scene: Pick<Scene, "options">, given: object, more: Partial<Surroundings> = {}): Promise<Answer> {
  return domainModule(given, surroundings(scene, more));
}

/** Runs a task of the module `domain_info` in this process. */
export function infoTask(scene: Pick<Scene, "options">, given: object, more: Partial<Surroundings> = {}): Promise<Answer> {
  return infoModule(given, surroundings(scene, more));
}

function surroundings(scene: Pick<Scene, "options">, more: Partial<Surroundings>): Surroundings {
  const begins = (): void => {};
  return { env: variablesOf(scene), uid: -1, signal: new AbortController().signal, check: false, diff: false, begins, ...more };
}
