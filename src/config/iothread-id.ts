/** The id of an object in QEMU: a letter, then letters, digits and -._ (util/id.c). QEMU refuses any other. */
export const ID: RegExp = /^[A-Za-z][-A-Za-z0-9._]*$/;

/** The longest id that is taken here. QEMU has no limit of its own. */
const LONGEST = 128;

/** Whether QEMU takes this as the id of an iothread. */
export function isIothreadId(text: string): boolean {
  return text.length <= LONGEST && ID.test(text);
}

/** What an id has to be like, for the message. */
export const IOTHREAD_RULE = "an iothread's id is a letter, then letters, digits, dots, dashes and underscores";
