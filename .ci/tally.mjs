// usage: node .ci/tally.mjs FOLDER SUITE...
// Adds up what .ci/run collected: FOLDER/SUITE.json (by reporter.mjs) with SUITE.status, and FOLDER/stages.
// Names what was skipped and what failed, ends with the one line that counts, and exits with 0 only when nothing failed.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder, ...suites] = process.argv.slice(2);
const sum = { passed: 0, failed: 0, skipped: 0 };

for (const suite of suites) {
  const report = readSuite(suite);
  for (const kind of Object.keys(sum)) sum[kind] += report[kind];
  console.log(`${suite}: ${report.passed} tests passed, ${report.failed} failed, ${report.skipped} skipped.`);
  for (const note of report.notes) console.log(`  ${note}`);
}
for (const stage of readText("stages").split("\n").filter(Boolean)) {
  sum[stage.split(" ", 1)[0]] += 1;
  console.log(stage);
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;

function readSuite(suite) {
  const report = JSON.parse(readText(`${suite}.json`) || '{"passed": 0, "failed": 0, "skipped": 0, "notes": []}');
  const status = readText(`${suite}.status`).trim() || "none";
  const fail = (note) => void (report.failed++, report.notes.push(`failed: ${note}`));
  // A suite that never ran, or a runner that died: no test shows it, the exit status does.
  if (status !== "0" && report.failed === 0) fail(`the run as a whole (exit status ${status})`);
  if (report.passed === 0 && report.failed === 0) fail("no test ran");
  return report;
}

function readText(name) {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
