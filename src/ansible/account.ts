import type { Report } from "../domain/change/change-report.ts";
import type { DomainInfo } from "../domain/views/inspect.ts";

/** Two texts, as Ansible shows them with --diff. */
export interface Difference {
  readonly before: string;
  readonly after: string;
  readonly before_header: string;
  readonly after_header: string;
}

/** One thing that was done, or would be. */
export interface Done {
  readonly action: string;
  readonly changed: boolean;
  /** In words, as `started`. */
  readonly words: string;
  /** What the library answered: a change's report, a start's, a stop's. */
  readonly report?: unknown;
  /** By which `qmpctl outcome` knows it on that host. */
  readonly key?: string;
  readonly notes?: readonly string[];
  readonly differences?: readonly Difference[];
  /** Accepted by QEMU, and not finished by the guest. */
  readonly pending?: boolean;
}

/** What a task comes to: what was done, in its order, and how the domain is then. */
export class Account {
  readonly done: Done[] = [];
  info: DomainInfo | null = null;

  add(done: Done): void {
    this.done.push(done);
  }

  get changed(): boolean {
    return this.done.some(({ changed }) => changed);
  }

  /** The report of the last change of its allocation. */
  get report(): Report | undefined {
    return this.done.findLast(({ action }) => action === "apply")?.report as Report | undefined;
  }
}
