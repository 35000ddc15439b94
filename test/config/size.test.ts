import { describe, expect, test } from "vitest";
import { formatSize, isSize, parseSize } from "../../src/config/size.ts";
import { UsageError } from "../../src/errors.ts";

describe("parseSize", () => {
  test.each([
    ["1K", 1024],
    ["300M", 300 * 1024 ** 2],
    ["300MiB", 300 * 1024 ** 2],
    ["300mb", 300 * 1024 ** 2],
    ["1GiB", 1024 ** 3],
    [" 2T ", 2 * 1024 ** 4],
    ["7P", 7 * 1024 ** 5],
  ])("reads %s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(["", "0", "-1", "1e9", "1.5G", "9EiB", "0M", "1 G", "G", "1GiBs", "0x10M", "8P999", "9P", "999999999999999P", "١M", "1\nM"])("refuses %j", (text) => {
    expect(() => parseSize(text)).toThrow(UsageError);
    expect(isSize(text)).toBe(false);
  });

  test("refuses a megabyte of digits in a short message", () => {
    expect(() => parseSize("9".repeat(1_000_000))).toThrow(/^size "9{40}…": not a whole number with a unit$/);
  });

  test("says what a bare number could have meant", () => {
    expect(() => parseSize("512")).toThrow('size "512": a bare number could be 512KiB (as virsh counts) or 512MiB (as QEMU counts)');
  });
});

describe("formatSize", () => {
  test.each([
    [0, "0B"],
    [1000, "1000B"],
    [1024, "1KiB"],
    [300 * 1024 ** 2, "300MiB"],
    [1536 * 1024 ** 2, "1536MiB"],
    [1024 ** 3, "1GiB"],
    [1024 ** 5, "1PiB"],
  ])("writes %d as %s", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  test("what it writes of whole KiB reads back the same", () => {
    for (let power = 0; power <= 38; power++) expect(parseSize(formatSize(3 * 1024 * 2 ** power))).toBe(3 * 1024 * 2 ** power);
  });
});
