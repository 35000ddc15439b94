import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { formatHost, parseHost, parseRemote } from "../../src/remote/host-address.ts";
import { addressOf } from "../../src/remote/readdress.ts";

test.each([
  ["kvm1", { host: "kvm1" }],
  ["root@kvm1", { host: "kvm1", user: "root" }],
  ["root@kvm1:2222", { host: "kvm1", user: "root", port: 2222 }],
  ["[fe80::1%eth0]:22", { host: "fe80::1%eth0", port: 22 }],
  ["10.0.0.1", { host: "10.0.0.1" }],
  ["kvm-1.example.org:1", { host: "kvm-1.example.org", port: 1 }],
])("%s is a host", (text, host) => {
  expect(parseHost(text)).toEqual(host);
  expect(formatHost(parseHost(text))).toBe(text);
});

test.each([
  ["", "the host is missing"],
  ["root@", "the host is missing"],
  ["-oProxyCommand=reboot", "can't begin with -"],
  ["-x@kvm1", "can't begin with -"],
  ["root@-x", "can't begin with -"],
  ["@kvm1", "can't be a user"],
  ["kvm 1", "can't be a host"],
  ["kvm1;reboot", "can't be a host"],
  ["$(reboot)", "can't be a host"],
  ["kvm1\nkvm2", "can't be a host"],
  ["a'b", "can't be a host"],
  ["kvm1:0", "is no port"],
  ["kvm1:65536", "is no port"],
  ["kvm1:ssh", "is no port"],
  ["[kvm1]", "is no IPv6 address"],
])("%j is refused: %s", (text, why) => {
  expect(() => parseHost(text)).toThrow(UsageError);
  expect(() => parseHost(text)).toThrow(why);
});

test.each(["web1", "a web", "ünï", "100%", "unix:/run/vm.sock", "/etc/qmpctl/web1.json", "a?b#c", "a\nb"])(
  "a domain %j comes back from its address",
  (domain) => {
    expect(parseRemote(addressOf("kvm1", domain))).toEqual({ at: { host: "kvm1" }, domain });
  },
);

test("an address without a domain is that of the host; one that is cut short is refused", () => {
  expect(parseRemote("ssh://kvm1")).toEqual({ at: { host: "kvm1" }, domain: null });
  expect(parseRemote("SSH://kvm1/")).toEqual({ at: { host: "kvm1" }, domain: null });
  expect(() => parseRemote("ssh:///web1")).toThrow("the host is missing");
  expect(() => parseRemote("ssh://kvm1/a%2")).toThrow("a % that is no encoded character");
});
