import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { formatAddress, parseAddress, parseTarget } from "../../src/wire/address.ts";

test.each([
  ["unix:/run/vm.sock", { kind: "unix", path: "/run/vm.sock" }],
  ["unix:./a b.sock", { kind: "unix", path: "./a b.sock" }],
  ["tcp:127.0.0.1:4444", { kind: "tcp", host: "127.0.0.1", port: 4444 }],
  ["tcp:localhost:1", { kind: "tcp", host: "localhost", port: 1 }],
  ["tcp:[::1]:65535", { kind: "tcp", host: "::1", port: 65535 }],
  ["plain-tcp:vm.example:4444", { kind: "tcp", host: "vm.example", port: 4444 }],
  ["plain-tcp:[fe80::1%eth0]:4444", { kind: "tcp", host: "fe80::1%eth0", port: 4444 }],
])("%s is read, and written the same", (text, address) => {
  expect(parseAddress(text)).toEqual(address);
  expect(formatAddress(parseAddress(text))).toBe(text);
});

test.each([
  ["/run/vm.sock", "a kind of address is missing"],
  ["", "a kind of address is missing"],
  ["http://x", "no such kind of address: http"],
  ["unix:", "the path is missing"],
  ["unix:/run/vm.sock,server=on", "QEMU's own options do not belong to the address"],
  ["tcp:localhost", "not host:port"],
  ["tcp:::1:4444", "not host:port"],
  ["tcp:localhost:0", "no such port: 0"],
  ["tcp:localhost:65536", "no such port: 65536"],
  ["tcp:10.0.0.1:4444", "say plain-tcp:10.0.0.1:4444"],
])("%s is refused: %s", (text, why) => {
  expect(() => parseAddress(text)).toThrow(UsageError);
  expect(() => parseAddress(text)).toThrow(why);
});

test.each([
  ["tls:vm.example:4444", { kind: "tls", host: "vm.example", port: 4444 }],
  [
    "tls:[::1]:4444?ca=/etc/pki/ca.pem&cert=/etc/pki/a%26b.pem&key=/k.pem&name=vm1",
    { kind: "tls", host: "::1", port: 4444, ca: "/etc/pki/ca.pem", cert: "/etc/pki/a&b.pem", key: "/k.pem", name: "vm1" },
  ],
  [
    "exec:ssh host socat - UNIX-CONNECT:/run/vm.sock",
    { kind: "exec", command: ["ssh", "host", "socat", "-", "UNIX-CONNECT:/run/vm.sock"] },
  ],
  ['exec:["kubectl","exec","a b","--","nc"]', { kind: "exec", command: ["kubectl", "exec", "a b", "--", "nc"] }],
  ["unix:/run/vm.sock", { kind: "unix", path: "/run/vm.sock" }],
])("%s is a way to a monitor", (text, target) => {
  expect(parseTarget(text)).toEqual(target);
  expect(formatAddress(parseTarget(text))).toBe(text);
});

test.each([
  ["tls:vm.example", "not host:port"],
  ["tls:vm.example:1?verify=no", "no such option: verify"],
  ["tls:vm.example:1?cert=/c", "cert and key go together"],
  ["exec:", "the command is missing"],
  ['exec:["a",1]', "not a JSON list of words"],
  ["exec:[", "not a JSON list of words"],
  ["vsock:3:5", "no such kind of address: vsock"],
])("%s is no way to a monitor: %s", (text, why) => {
  expect(() => parseTarget(text)).toThrow(UsageError);
  expect(() => parseTarget(text)).toThrow(why);
});

test("a path that the system would cut short is refused with its length in bytes", () => {
  expect(parseAddress(`unix:/${"x".repeat(106)}`)).toBeDefined();
  expect(() => parseAddress(`unix:/${"é".repeat(54)}`)).toThrow("may have 107 bytes, this one has 109");
});
