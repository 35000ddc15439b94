import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { alarmIn, deadlineIn, partOf } from "../src/deadline.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a deadline", () => {
  test("counts down to 0 and no further", () => {
    const deadline = deadlineIn(20);
    vi.advanceTimersByTime(15);
    expect(deadline).toMatchObject({ timeout: 20 });
    expect([deadline.elapsed(), deadline.left()]).toEqual([15, 5]);
    vi.advanceTimersByTime(15);
    expect([deadline.elapsed(), deadline.left()]).toEqual([30, 0]);
  });

  test("of a part ends with the whole, if that is sooner", () => {
    const whole = deadlineIn(100);
    vi.advanceTimersByTime(70);
    expect([partOf(whole, 20).timeout, partOf(whole, 50).timeout, partOf(deadlineIn(Infinity), 50).timeout]).toEqual([20, 30, 50]);
  });

  test("of Infinity never comes", () => {
    expect(deadlineIn(Infinity).left()).toBe(Infinity);
  });
});

describe("an alarm", () => {
  test("comes after what arrived while the process was held up", async () => {
    vi.useRealTimers();
    const order: string[] = [];
    const rung = new Promise<void>((resolve) => alarmIn(5, () => (order.push("alarm"), resolve())));
    const read = new Promise<void>((resolve) => setTimeout(() => setImmediate(() => (order.push("read"), resolve())), 1));
    // Both are due when the process goes on.
    for (const start = performance.now(); performance.now() - start < 20;);
    await Promise.all([rung, read]);
    expect(order).toEqual(["read", "alarm"]);
  });

  test("that was cancelled does not come", () => {
    const ring = vi.fn();
    alarmIn(1, ring)();
    vi.advanceTimersByTime(10);
    expect(ring).not.toHaveBeenCalled();
  });

  test("comes when its time is over, and not before", () => {
    const ring = vi.fn();
    alarmIn(10, ring);
    vi.advanceTimersByTime(9);
    expect(ring).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(ring).toHaveBeenCalledOnce();
  });

  test("of Infinity never comes, not at once either", () => {
    const ring = vi.fn();
    alarmIn(Infinity, ring);
    vi.advanceTimersByTime(2 ** 33);
    expect(ring).not.toHaveBeenCalled();
  });

  test("of more than a timer takes comes at its time, not at once", () => {
    const ring = vi.fn();
    alarmIn(2 ** 31 + 100, ring);
    vi.advanceTimersByTime(2 ** 31 + 50);
    expect(ring).not.toHaveBeenCalled();
    vi.advanceTimersByTime(60);
    expect(ring).toHaveBeenCalledOnce();
    const cancelled = vi.fn();
    const cancel = alarmIn(2 ** 31 + 100, cancelled);
    vi.advanceTimersByTime(2 ** 31 + 50);
    cancel();
    vi.advanceTimersByTime(1000);
    expect(cancelled).not.toHaveBeenCalled();
  });
});
