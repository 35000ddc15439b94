/** What a documentation is made of: all that YAML needs. */
export type Doc = string | number | boolean | readonly Doc[] | { readonly [key: string]: Doc };

/** Tasks of the module `domain`, as ansible-doc shows them. */
export const DOMAIN_EXAMPLES = `- name: web1 has 2 GiB and two vCPUs, now and at its next start
  qmpctl.qemu.domain:
    name: web1
    allocation:
      memory: {current: 2GiB}
      vcpus: {current: 2}

- name: It runs, whatever it was
  qmpctl.qemu.domain:
    name: web1
    state: running

- name: It is defined from a file of the control node, and runs
  qmpctl.qemu.domain:
    name: web1
    config: "{{ lookup('ansible.builtin.file', 'web1.json') }}"
    state: running

- name: It is defined from a command line, with its vCPUs bound to CPUs 0 to 3
  qmpctl.qemu.domain:
    name: db1
    command_line: [qemu-system-x86_64, -m, 4G, -smp, "4,maxcpus=8", -drive, "file=/srv/db1.img,if=virtio"]
    allocation:
      vcpus: {pin: {0: 0-1, 1: 2-3}}

- name: Give memory back at night, even if a guest takes its time
  qmpctl.qemu.domain:
    name: web1
    allocation:
      memory: {current: 1GiB}
    timeout: 2m
    on_pending: accept

- name: Undo what an interrupted change left, then set what is wanted
  qmpctl.qemu.domain:
    name: web1
    recover: undo
    allocation:
      vcpus: {current: 4}
`;

/** What the module `domain` answers. */
export const DOMAIN_RETURN: { readonly [key: string]: Doc } = {
  actions: {
    description:
      "What was done, in this order, or would be: C(define), C(recover), C(apply), C(start), C(restart), C(resume), C(suspend), C(shutdown), C(destroy), C(undefine).",
    returned: "always",
    type: "list",
    elements: "str",
    sample: ["apply", "start"],
  },
  state: {
    description: "Its state now: C(running), C(paused), C(stopped), C(unreachable), or QEMU's own word, as C(io-error).",
    returned: "when it is known, and not in check mode",
    type: "str",
    sample: "running",
  },
  pending: {
    description: "QEMU has accepted it, and the guest had not done its part by the deadline. It may still do it.",
    returned: "always",
    type: "bool",
  },
  outcome: {
    description:
      "How the change of its allocation ended: C(unchanged), C(applied), C(pending), C(rolled-back), C(failed), C(refused); C(planned) in check mode.",
    returned: "when there was one",
    type: "str",
    sample: "applied",
  },
  reports: {
    description:
      "What the library says of each C(action) that has something to say. Of C(apply) the whole report, as C(qmpctl apply --json) prints it: both halves of each resource before, wanted and now, the steps, the reasons. C(key) is what C(qmpctl outcome) on that host still knows it by a day later.",
    returned: "always",
    type: "list",
    elements: "dict",
  },
  finish: {
    description: "The command that finishes what is half done, to be typed on that host.",
    returned: "when something is half done",
    type: "str",
    sample: "qmpctl setmem web1 1GiB --dynamic",
  },
  take_back: {
    description: "The command that takes back what was done, to be typed on that host.",
    returned: "when something is half done, and can be taken back",
    type: "str",
    sample: "qmpctl setmem web1 2GiB --static --dynamic",
  },
  domain: {
    description: "The domain in short, as C(qmpctl info --json) prints it. Sizes are bytes. In check mode as it is.",
    returned: "when it is there",
    type: "dict",
  },
  notes: { description: "What else there is to know.", returned: "always", type: "list", elements: "str" },
  error: {
    description: "The error for programs: its C(code), as C(refused), C(rolled-back), C(partial), C(locked), and its evidence.",
    returned: "when it failed, and not for C(pending)",
    type: "dict",
  },
  exit_code: { description: "What the command line would have ended with.", returned: "when C(error) is", type: "int", sample: 3 },
};

/** Tasks of the module `domain_info`, as ansible-doc shows them. */
export const INFO_EXAMPLES = `- name: Look at web1
  qmpctl.qemu.domain_info:
    name: web1
  register: web1

- name: It must be there, and have what its config says
  ansible.builtin.assert:
    that:
      - web1.exists
      - web1.diff | map(attribute='why') | select | list == []

- name: All domains whose names begin with web, in short
  qmpctl.qemu.domain_info:
    name: web*
    gather: []
  register: found

- name: What runs
  ansible.builtin.debug:
    msg: "{{ found.domains | selectattr('state', 'equalto', 'running') | map(attribute='name') | list }}"
`;

/** What the module `domain_info` answers. */
export const INFO_RETURN: { readonly [key: string]: Doc } = {
  domains: {
    description:
      "Each domain that is meant: its C(name), its C(state), C(info) as C(qmpctl info --json) prints it, and the parts of I(gather). What can't be told is in C(unknown), with the reason.",
    returned: "always",
    type: "list",
    elements: "dict",
    sample: [{ name: "web1", state: "running", info: { live: { memory: 2147483648, vcpus: 2 } } }],
  },
  exists: { description: "Whether it is there.", returned: "when one name was asked for", type: "bool" },
  state: { description: "Its state.", returned: "when one name was asked for, and it is there", type: "str", sample: "running" },
  info: {
    description: "It in short. The parts of I(gather) stand beside it.",
    returned: "when one name was asked for, and it is there",
    type: "dict",
  },
};
