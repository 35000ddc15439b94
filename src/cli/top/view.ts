import { type DomainFrame, type Frame, keyOf } from "./frame.ts";

/** What domains are sorted by. */
export type Order = "cpu" | "steal" | "memory" | "host" | "disk" | "net" | "name" | "state";

/** How the screen is looked at: what keys change. */
export interface View {
  readonly order: Order;
  readonly isReversed: boolean;
  /** Only names with this in them are shown. */
  readonly only: string;
  /** What is being typed after `/`; null where nothing is. */
  readonly typing: string | null;
  readonly isPaused: boolean;
  /** Whether every domain is open, and those that are by themselves. */
  readonly allOpen: boolean;
  readonly open: ReadonlySet<string>;
  /** Whether what does not run is left out. */
  readonly onlyRunning: boolean;
  /** The key of the domain that the keys are about; null before the first. */
  readonly selected: string | null;
  readonly help: boolean;
  /** Milliseconds between two frames. */
  readonly every: number;
}

/** How it begins. */
export function firstView(about: Pick<View, "order" | "only" | "every">): View {
  return {
    ...about,
    ...{
      isReversed: false,
      typing: null,
      isPaused: false,
      allOpen: false,
      open: new Set(),
      onlyRunning: false,
      selected: null,
      help: false,
    },
  };
}

/** What a domain is sorted by: those with the most come first; by name and state, those that come first. */
const VALUES: Readonly<Record<Order, (domain: DomainFrame) => number | string>> = {
  cpu: ({ cpu }) => cpu ?? -1,
  steal: ({ steal }) => steal ?? -1,
  memory: ({ memory: { current }, pid }) => (pid === undefined ? -1 : (current ?? -1)),
  host: ({ memory: { host } }) => host ?? -1,
  disk: ({ disks }) => (disks === null ? -1 : disks.reduce((sum, { read, written }) => sum + read + written, 0)),
  net: ({ nets, pid }) => (pid === undefined ? -1 : nets.reduce((sum, { received, sent }) => sum + received + sent, 0)),
  name: ({ name }) => name,
  state: ({ state }) => state ?? "",
};

/** The orders, as they are typed. */
export const ORDERS: readonly Order[] = Object.keys(VALUES) as Order[];

/** The domains that are shown, in their order. Those of equal value stand by name, so that the screen is quiet. */
export function shown(frame: Frame, view: View): readonly DomainFrame[] {
  const { order, isReversed, onlyRunning } = view;
  const text = (view.typing ?? view.only).toLowerCase();
  const value = VALUES[order];
  const kept = frame.domains.filter(({ name, pid }) => name.toLowerCase().includes(text) && (!onlyRunning || pid !== undefined));
  const sorted = kept.toSorted((one, other) => {
    const [a, b] = [value(one), value(other)];
    const most = typeof a === "number" && typeof b === "number" ? b - a : compared(String(a), String(b));
    return (isReversed ? -most : most) || compared(one.name, other.name) || (one.pid ?? 0) - (other.pid ?? 0);
  });
  return sorted;
}

const BY_NAME = new Intl.Collator("en", { numeric: true });

function compared(one: string, other: string): number {
  return BY_NAME.compare(one, other);
}

/** What a key is to do besides. */
export type Act = "quit" | "stop" | "redraw";

/** The keys of orders. */
const BY: Readonly<Record<string, Order>> = {
  c: "cpu",
  P: "cpu",
  s: "steal",
  m: "memory",
  M: "memory",
  o: "host",
  d: "disk",
  t: "net",
  n: "name",
  N: "name",
  e: "state",
};

const SLOWER: Readonly<Record<string, number>> = { "+": 2, "=": 2, "-": 0.5 };
/** The shortest and the longest time between two frames, in milliseconds. */
export const FASTEST = 20;
const SLOWEST = 3_600_000;

/**
 * The view after a key, and what is to be done besides. `page`: how many domains fit the screen.
 */
export function pressed(view: View, key: string, frame: Frame, page: number): { readonly view: View; readonly act?: Act } {
  if (key === "^C") return { view, act: "quit" };
  if (key === "^Z") return { view, act: "stop" };
  if (key === "^L") return { view, act: "redraw" };
  if (view.typing !== null) return { view: typed(view, view.typing, key) };
  if (view.help) return key === "q" ? { view, act: "quit" } : { view: { ...view, help: false } };
  if (key === "q" || key === "Q" || key === "^D") return { view, act: "quit" };
  const step = STEPS[key]?.(page);
  if (step !== undefined) return { view: moved(view, step, frame) };
  return { view: looked(view, key, frame) };
}

function looked(view: View, key: string, frame: Frame): View {
  const order = BY[key];
  if (order !== undefined) return { ...view, order, isReversed: false };
  const slower = SLOWER[key];
  if (slower !== undefined) return { ...view, every: Math.min(SLOWEST, Math.max(FASTEST, view.every * slower)) };
  switch (key) {
    case "r":
    case "R":
      return { ...view, isReversed: !view.isReversed };
    case "/":
      return { ...view, typing: view.only };
    case "escape":
      return { ...view, only: "", typing: null };
    case " ":
      return { ...view, isPaused: !view.isPaused };
    case "v":
      return { ...view, allOpen: !view.allOpen, open: new Set() };
    case "enter":
      return opened(view, frame);
    case "i":
      return { ...view, onlyRunning: !view.onlyRunning };
    case "h":
    case "?":
      return { ...view, help: true };
    default:
      return view;
  }
}

function opened(view: View, frame: Frame): View {
  const selected = selectedIn(view, shown(frame, view));
  if (selected === undefined) return view;
  const open = new Set(view.open);
  const key = keyOf(selected);
  // Where all are open, those of the set are closed.
  if (!open.delete(key)) open.add(key);
  return { ...view, open, selected: key };
}

/** Whether a domain's vCPUs are shown. */
export function isOpen({ allOpen, open }: View, domain: DomainFrame): boolean {
  return allOpen !== open.has(keyOf(domain));
}

function typed(view: View, typing: string, key: string): View {
  switch (key) {
    case "enter":
      return { ...view, only: typing, typing: null };
    case "escape":
      return { ...view, typing: null };
    case "backspace":
      return { ...view, typing: [...typing].slice(0, -1).join("") };
    case "^U":
      return { ...view, typing: "" };
    default:
      // Names of keys are longer than one character.
      return [...key].length === 1 ? { ...view, typing: typing + key } : view;
  }
}

const STEPS: Readonly<Record<string, (page: number) => number>> = {
  up: () => -1,
  k: () => -1,
  down: () => 1,
  j: () => 1,
  pageup: (page) => -page,
  pagedown: (page) => page,
  home: () => -Infinity,
  g: () => -Infinity,
  end: () => Infinity,
  G: () => Infinity,
};

function moved(view: View, step: number, frame: Frame): View {
  const domains = shown(frame, view);
  const at = domains.findIndex((each) => keyOf(each) === view.selected);
  const next = domains[Math.max(0, Math.min(domains.length - 1, Math.max(0, at) + step))];
  return next === undefined ? view : { ...view, selected: keyOf(next) };
}

/** The domain that the keys are about: the first, where the one that was is not shown. */
export function selectedIn({ selected }: View, domains: readonly DomainFrame[]): DomainFrame | undefined {
  return domains.find((each) => keyOf(each) === selected) ?? domains[0];
}
