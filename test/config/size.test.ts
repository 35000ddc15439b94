import { describe, expect, test } from "vitest";
import { formatSize, isSize, parseSize } from "../../src/config/size.ts";
import { UsageError } from "../../src/errors.ts";

describe("parseSize", () => {
  test.each([
    ["1K", 1024],
    ["300M", 300 * 1024 ** 2],
    ["300MiB", 300 * 1024 ** 2],
    ["300Mi", 300 * 1024 ** 2],
    ["300mib", 300 * 1024 ** 2],
    ["4096B", 4096],
    ["4096b", 4096],
    ["1048576bytes", 2 ** 20],
    ["1GiB", 1024 ** 3],
    [" 2T ", 2 * 1024 ** 4],
    ["7P", 7 * 1024 ** 5],
  ])("reads %s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    "",
    "0",
    "-1",
    "1e9",
    "1.5G",
    "9EiB",
    "1E",
    "1000B",
    "0B",
    "1KB",
    "300mb",
    "2GB",
    "2tb",
    "1PB",
    "1Bi",
    "1MiBi",
    "1Mbit",
    "0M",
    "1 G",
    "G",
    "1GiBs",
    "0x10M",
    "8P999",
    "9P",
    "999999999999999P",
    "١M",
    "1\nM",
  ])("refuses %j", (text) => {
    expect(() => parseSize(text)).toThrow(UsageError);
    expect(isSize(text)).toBe(false);
  });

  test("refuses a megabyte of digits in a short message", () => {
    expect(() => parseSize("9".repeat(1_000_000))).toThrow(/^size "9{40}…": not a whole number with a unit$/);
  });

  test.each([
    ["300MB", 'size "300MB": MB is MiB to some, and a power of 1000 to virsh: write 300M, or 286M for 300 times 1000^2 bytes'],
    ["4gb", 'size "4gb": GB is GiB to some, and a power of 1000 to virsh: write 4G, or 3814M for 4 times 1000^3 bytes'],
    ["500kB", 'size "500kB": KB is KiB to some, and a power of 1000 to virsh: write 500K, or 488K for 500 times 1000^1 bytes'],
    ["1.5G", 'size "1.5G": not a whole number: write 1536MiB'],
    ["1.3G", 'size "1.3G": not a whole number with a unit'],
    ["1025B", 'size "1025B": not a whole number of KiB: write 2K'],
  ])("F4: says of %s what would be right", (text, message) =>
    expect(() => parseSize(text)).toThrow(new UsageError(message, { value: text, expected: "" }).message),
  );

  test("what it says to write is what it reads", () => {
    for (const unit of ["KB", "MB", "GB", "TB"]) {
      const message = ((): string => {
        try {
          return String(parseSize(`750${unit}`));
        } catch (error) {
          return (error as Error).message;
        }
      })();
      const [, same = "", fewer = ""] = /write (\w+), or (\w+) for/.exec(message) ?? [];
      const decimal = 750 * 1000 ** (["KB", "MB", "GB", "TB"].indexOf(unit) + 1);
      expect(parseSize(same)).toBe(750 * 1024 ** (["KB", "MB", "GB", "TB"].indexOf(unit) + 1));
      expect(parseSize(fewer)).toBeLessThanOrEqual(decimal);
      expect(parseSize(fewer)).toBeGreaterThan(decimal * 0.99);
    }
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
