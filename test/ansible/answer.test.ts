import { describe, expect, test } from "vitest";
import { Account } from "../../src/ansible/account.ts";
import { answerOf, failureOf } from "../../src/ansible/answer.ts";
import { wantedIn } from "../../src/ansible/wanted.ts";
import type { Report } from "../../src/domain/change/change-report.ts";
import { ChangeError } from "../../src/domain/change/errors.ts";

const around = { env: {}, uid: -1, signal: new AbortController().signal, check: false, diff: false, begins: () => undefined };
const half = { before: 2 ** 30, wanted: 2 ** 29, actual: 2 ** 30 };
const report: Report = {
  ...{ domain: "web1", scope: "both", state: "running", steps: [], refusals: [], notes: ["a note"], elapsed: 1 },
  outcome: "pending",
  finish: "qmpctl setmem web1 512MiB --dynamic",
  takeBack: "qmpctl setmem web1 1GiB --dynamic",
  changes: [
    {
      change: { resource: "memory", size: 2 ** 29 },
      static: { ...half, actual: 2 ** 29, outcome: "applied" },
      dynamic: { ...half, outcome: "pending", reason: "the guest has not moved" },
    },
  ],
};

function accountOf(): Account {
  const account = new Account();
  account.add({ action: "apply", changed: true, words: "memory pending", report, key: "k", notes: report.notes, pending: true });
  return account;
}

describe("a change that the guest has not finished", () => {
  const words = "web1: QEMU accepted it, and the guest had not done it by the deadline: the guest has not moved";

  test("is a failure, with what finishes it and what takes it back", () => {
    expect(answerOf(wantedIn({ name: "web1" }), accountOf(), around)).toEqual({
      ...{ failed: true, changed: true, pending: true, outcome: "pending", name: "web1", msg: words },
      ...{ finish: report.finish, take_back: report.takeBack, notes: ["a note"], actions: ["apply"] },
      reports: [{ action: "apply", key: "k", report }],
    });
  });

  test("is a change with a warning where that is accepted", () => {
    const answer = answerOf(wantedIn({ name: "web1", on_pending: "accept" }), accountOf(), around);
    expect(answer).toMatchObject({ changed: true, pending: true, warnings: [words], msg: words });
    expect(answer).not.toHaveProperty("failed");
  });
});

test("a failure that left something is a change, and has the report of what failed", async () => {
  const failed = new ChangeError({ ...report, outcome: "failed" }, "QEMU is gone", { cause: new Error("x") });
  expect(await failureOf("web1", failed, new Account(), around)).toMatchObject({
    ...{ failed: true, changed: true, outcome: "failed", exit_code: 4, msg: "web1: QEMU is gone", error: { code: "partial" } },
    ...{ finish: report.finish, take_back: report.takeBack, reports: [{ action: "apply", report: { outcome: "failed" } }] },
  });
});
