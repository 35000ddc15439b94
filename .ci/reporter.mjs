// A reporter for vitest that counts each test once and keeps why a test was skipped: vitest's own JSON does not have it.
// Writes {passed, failed, skipped, notes} to the file that QMPCTL_CI_REPORT names.
import { writeFileSync } from "node:fs";
import { env } from "node:process";

export default class Counter {
  onTestRunEnd(modules, unhandled) {
    const report = { passed: 0, failed: 0, skipped: 0, notes: [] };
    const fail = (what, error) => {
      report.failed += 1;
      report.notes.push(`failed: ${what}: ${String(error?.message ?? error).split("\n")[0]}`);
    };
    for (const module of modules) {
      // A file that could not be loaded has no tests to fail.
      for (const error of module.errors()) fail(module.relativeModuleId, error);
      for (const test of module.children.allTests()) {
        const { state, note, errors } = test.result();
        const name = `${module.relativeModuleId}: ${test.fullName}`;
        if (state === "passed") report.passed += 1;
        else if (state === "failed") fail(name, errors?.[0]);
        else {
          report.skipped += 1;
          report.notes.push(`skipped: ${name}${note ? `: ${note}` : ""}`);
        }
      }
      // What failed around the tests of a group, as its beforeAll.
      for (const suite of module.children.allSuites())
        for (const error of suite.errors()) fail(`${module.relativeModuleId}: ${suite.fullName}`, error);
    }
    for (const error of unhandled) fail("outside of any test", error);
    writeFileSync(env.QMPCTL_CI_REPORT, JSON.stringify(report));
  }
}
