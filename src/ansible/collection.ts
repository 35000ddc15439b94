import { fileKeys } from "../domain/resources/allocation.ts";
import { DOMAIN_OPTIONS } from "./domain-options.ts";
import { type Doc, DOMAIN_EXAMPLES, DOMAIN_RETURN, INFO_EXAMPLES, INFO_RETURN } from "./examples.ts";
import { INFO_OPTIONS } from "./info-options.ts";
import type { Option, Options } from "./options.ts";

type Dict = { readonly [key: string]: Doc };

/** The collection as its files say it. */
export const COLLECTION: {
  readonly namespace: string;
  readonly name: string;
  /** The source of each module's program, by the module's name. */
  readonly modules: Readonly<Record<"domain" | "domain_info", string>>;
  /** Without the version. */
  readonly galaxy: Dict;
  readonly runtime: Dict;
} = {
  namespace: "qmpctl",
  name: "qemu",
  modules: { domain: "src/ansible/domain.ts", domain_info: "src/ansible/domain-info.ts" },
  galaxy: {
    namespace: "qmpctl",
    name: "qemu",
    readme: "README.md",
    authors: ["the authors of qmpctl"],
    description: "What QEMU machines have, and whether they run: wanted in a playbook, made so without libvirt. A host needs Node only.",
    license: ["MIT"],
    tags: ["qemu", "kvm", "virtualization"],
  },
  runtime: { requires_ansible: ">=2.14.0", action_groups: { qemu: ["domain", "domain_info"] } },
};

interface ModuleText {
  readonly short: string;
  readonly about: readonly string[];
  readonly options: Options;
  readonly examples: string;
  readonly returns: Dict;
}

const NOTES = [
  "The host needs Node 20.19 or newer, and no Python: so write C(gather_facts: false). If Node is not C(/usr/bin/node), set C(ansible_node_interpreter).",
  "It works on this user's domains: root's are in C(/etc/qmpctl). Domains of another user are worked on with C(become_user).",
];

const MODULES: Readonly<Record<"domain" | "domain_info", ModuleText>> = {
  domain: {
    short: "Give a QEMU machine what it is to have, and the state that it is to be in",
    about: [
      "Defines a domain, changes what it has (memory, vCPUs, CPU time, threads, disks, devices), and starts, pauses and stops it. What is so already is left alone.",
      "A change of its allocation is planned, made, read back, and undone if it fails, in the config for the next start and in the running machine.",
      "If the connection is lost, or Ansible is ended, a change that has begun ends there as it should. What has not begun is dropped.",
    ],
    options: DOMAIN_OPTIONS,
    examples: DOMAIN_EXAMPLES,
    returns: DOMAIN_RETURN,
  },
  domain_info: {
    short: "Tell what QEMU machines there are, and what they have",
    about: ["Reads domains of the host: in short, and what config and running machine have of each resource. It changes nothing."],
    options: INFO_OPTIONS,
    examples: INFO_EXAMPLES,
    returns: INFO_RETURN,
  },
};

/** What ansible-doc shows of a module, as its sidecar file has it. */
export function moduleDocs(name: string, version: string): Dict {
  const { short, about, options, examples, returns } = MODULES[name as keyof typeof MODULES];
  return {
    DOCUMENTATION: {
      ...{ module: name, short_description: short, version_added: version, author: ["the authors of qmpctl"] },
      ...{ description: about, options: Object.fromEntries(Object.entries(options).map(([key, option]) => [key, optionDoc(key, option)])) },
      ...{ requirements: ["Node 20.19 or newer on the host"], notes: NOTES },
      attributes: {
        check_mode: { support: "full", description: "Nothing is touched, and what would be done is told." },
        diff_mode: {
          support: name === "domain" ? "full" : "none",
          description: "The allocation, the state and the config before and after.",
        },
      },
    },
    EXAMPLES: examples,
    RETURN: returns,
  };
}

function optionDoc(name: string, { about, type, required, aliases, choices, default: usual }: Option): Dict {
  return {
    description: about,
    type: type === "time" ? "str" : type,
    ...(type === "list" ? { elements: "str" } : {}),
    ...(required === true ? { required } : {}),
    ...(aliases === undefined ? {} : { aliases }),
    ...(choices === undefined ? {} : { choices }),
    ...(usual === undefined ? {} : { default: usual }),
    ...(name === "allocation" ? { suboptions: allocationDoc() } : {}),
  };
}

/** Every value that an allocation may have, with its form, and the verb of the command line that changes the same. */
function allocationDoc(): Dict {
  const groups: Record<string, { readonly description: Doc; readonly type: string; readonly suboptions: Record<string, Doc> }> = {};
  for (const { place, shape, verb } of fileKeys()) {
    const [group = "", key = ""] = place.split(".");
    groups[group] ??= { description: [`What C(qmpctl apply --help) lists under C(${group}).`], type: "dict", suboptions: {} };
    groups[group].suboptions[key] = { description: [`${shape}, as C(qmpctl ${verb}) takes it.`], type: "raw" };
  }
  return groups;
}

/** The collection's own README. */
export function collectionReadme(version: string): string {
  const rows = Object.entries(MODULES).map(([name, { short }]) => `| \`${COLLECTION.namespace}.${COLLECTION.name}.${name}\` | ${short} |`);
  return `# ${COLLECTION.namespace}.${COLLECTION.name} ${version}

${String(COLLECTION.galaxy["description"])}

| module | what it is for |
|---|---|
${rows.join("\n")}

    ansible-doc ${COLLECTION.namespace}.${COLLECTION.name}.domain

Each module is one file that is sent to the host and run by Node there (20.19 or newer; \`ansible_node_interpreter\` says where it is).
Nothing is installed, and nothing is left. It comes with the npm package qmpctl, whose \`qmpctl ansible install\` puts it where Ansible looks.

\`\`\`yaml
${DOMAIN_EXAMPLES.trim()}
\`\`\`
`;
}
