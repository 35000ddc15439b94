import { printAnswer } from "../answer.ts";
import { EXIT } from "../exit-code.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["ansible install [DIR]"],
  summary: "put the collection qmpctl.qemu where Ansible looks for it",
  details: [
    "The collection has the modules qmpctl.qemu.domain and qmpctl.qemu.domain_info. They are run on each host by Node, and need nothing else there.",
    "DIR is a folder of collections. If it is left out: the first of ANSIBLE_COLLECTIONS_PATH that can be written, else ~/.ansible/collections.",
    "An older one is replaced whole. What is there and is no qmpctl.qemu is left alone, and refused.",
  ],
  examples: [
    ["ansible install", "for this user; then: ansible-doc qmpctl.qemu.domain"],
    ["ansible install ./collections", "for one project, beside its playbooks"],
  ],
  options: {},
  operands: { names: ["install", "DIR"], required: 1 },
  async run(call) {
    const { args, io } = call;
    const [action, given] = args.operands;
    if (action !== "install") throw misuse(`${action}: ansible can be told to install only`, action, "ansible install");
    const { collectionsFolder, installCollection, shippedCollection } = await import("../collection.ts");
    const folder = given ?? collectionsFolder(io.env);
    if (folder === undefined) throw misuse("DIR: missing, and HOME is not set", undefined, "a folder of collections");
    const made = await installCollection(shippedCollection(), folder);
    const { name, version, path, replaced } = made;
    const notes = [
      ...(given === undefined
        ? []
        : [`Ansible looks there if it is collections beside the playbook, or with ANSIBLE_COLLECTIONS_PATH=${folder}`]),
      `for example: ansible all -m ${name}.domain_info -a 'name=web*'`,
    ];
    const line = `${name} ${version}: installed in ${path}${replaced === null ? "" : `, in place of ${replaced}`}`;
    printAnswer(call, { json: made, lines: [line], notes });
    return EXIT.done;
  },
});
