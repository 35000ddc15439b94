import { expect, test } from "vitest";
import { sectionsInTheWay } from "../../src/config/readconfig.ts";

test.each([
  ["", []],
  ['[device "memory"]\n  driver = "x"\n[object "smp-opts"]\n[drive]\nsize = "1G"\n', []],
  ['[memory]\n  size = "1024"\n  maxmem = "2G"\n', ['its section [memory] is the key "memory", as -m']],
  [" [ smp-opts ] \n", ['its section [smp-opts] is the key "vcpus", as -smp']],
  ['[name]\n guest = "x"\n', ['its section [name] is the key "name", as -name']],
  ['# [memory]\n[machine]\n  type = "q35"\n  memory-backend = "m"\n', []],
  [
    '[machine]\n smp.cpus = "2"\n memory.size = "1G"\n[device]\n smp.cpus = "x"\n',
    [
      '"smp.cpus" in its section [machine] is the key "vcpus", as -smp',
      '"memory.size" in its section [machine] is the key "memory", as -m',
    ],
  ],
])("%j: %j", (text, wrong) => {
  expect(sectionsInTheWay(text)).toEqual(wrong);
});
