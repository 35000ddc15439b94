import { expect, test } from "vitest";
import { foldNames } from "../../../src/remote/fleet/fold.ts";
import { namesOf, parseHostList } from "../../../src/remote/fleet/host-pattern.ts";

test.each([
  [["kvm1"], "kvm1"],
  [["kvm01", "kvm02", "kvm03", "kvm07"], "kvm[01-03,07]"],
  [["kvm1", "kvm2"], "kvm[1,2]"],
  [["kvm9", "kvm10", "kvm11"], "kvm[9-11]"],
  [["kvm09", "kvm10"], "kvm[09,10]"],
  [["kvm1", "kvm01"], "kvm[1,01]"],
  [["kvm099", "kvm100", "kvm101"], "kvm[099-101]"],
  [["kvm2", "edge", "kvm1", "kvm2"], "kvm[1,2],edge"],
  [["root@kvm1:2222", "root@kvm2:2222", "root@kvm3:22"], "root@kvm[1,2]:2222,root@kvm3:22"],
  [["10.0.0.1", "10.0.0.2", "10.0.0.3"], "10.0.0.[1-3]"],
  [["[fe80::1]:22", "[fe80::2]:22"], "[fe80::1]:22,[fe80::2]:22"],
  [["r1-kvm3a", "r1-kvm4a", "r1-kvm5a"], "r1-kvm[3-5]a"],
  [["user1@kvm", "user2@kvm"], "user1@kvm,user2@kvm"],
])("%j in short is %s, and means the same", (names, short) => {
  expect(foldNames(names)).toBe(short);
  const meant = parseHostList(short).flatMap(namesOf);
  expect(new Set(meant)).toEqual(new Set(names));
});
