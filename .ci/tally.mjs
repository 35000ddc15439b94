// usage: node .ci/tally.mjs FOLDER SUITE...
// Adds up what .ci/run collected: FOLDER/SUITE.json (vitest's own report) with SUITE.status, and FOLDER/stages.
// Names what was skipped and what failed, ends with the one line that counts, and exits with 0 only when nothing failed.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder, ...suites] = process.argv.slice(2);
const sum = { passed: 0, failed: 0, skipped: 0 };

for (const suite of suites) {
  const { counts, notes } = readSuite(suite);
  for (const kind of Object.keys(sum)) sum[kind] += counts[kind];
  console.log(`${suite}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped;`);
  for (const note of notes) console.log(`  ${note}`);
}
const stages = existsSync(join(folder, "stages")) ? readFileSync(join(folder, "stages"), "utf8").trim().split("\n") : [];
for (const stage of stages) {
  sum[stage.split(" ", 1)[0]] += 1;
  console.log(stage);
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;

function readSuite(suite) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const notes = [];
  const report = join(folder, `${suite}.json`);
  const status = existsSync(join(folder, `${suite}.status`)) ? readFileSync(join(folder, `${suite}.status`), "utf8").trim() : "none";
  if (existsSync(report)) {
    for (const { name: file, assertionResults } of JSON.parse(readFileSync(report, "utf8")).testResults) {
      for (const { status: outcome, fullName } of assertionResults) {
        const kind = outcome in counts ? outcome : "skipped";
        counts[kind] += 1;
        if (kind !== "passed") notes.push(`${kind}: ${file.replace(`${process.cwd()}/`, "")}: ${fullName}`);
      }
    }
  }
  // A file that could not be loaded, an error outside any test, a suite that never ran: no test shows it, the status does.
  if (status !== "0" && counts.failed === 0) counts.failed += 1, notes.push(`failed: the run as a whole (exit status ${status})`);
  if (counts.passed === 0 && counts.failed === 0) counts.failed += 1, notes.push("failed: no test ran");
  return { counts, notes };
}
