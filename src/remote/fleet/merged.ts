/**
 * What several sources bring, in the order in which it comes. Of each source one piece at a time is taken: who reads slowly is waited for,
 * and a source that brings much does not push the others back. `onEnd` hears when one has ended, and why if it did not end well.
 */
export async function* merged<T>(
  sources: readonly AsyncIterable<T>[],
  { signal, onEnd }: { readonly signal?: AbortSignal | undefined; readonly onEnd: (source: number, error: Error | undefined) => void },
): AsyncGenerator<T, void, undefined> {
  const ready: { readonly value: T; readonly taken: () => void }[] = [];
  let left = sources.length;
  let wake = (): void => {};
  const stop = (): void => wake();
  const pump = async (source: AsyncIterable<T>, at: number): Promise<void> => {
    let failure: Error | undefined;
    try {
      for await (const value of source) {
        await new Promise<void>((taken) => {
          ready.push({ value, taken });
          wake();
        });
        if (isOver) break;
      }
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    left--;
    if (!isOver) onEnd(at, failure);
    wake();
  };
  let isOver = false;
  signal?.addEventListener("abort", stop, { once: true });
  for (const [at, source] of sources.entries()) void pump(source, at);
  try {
    while (signal?.aborted !== true) {
      const next = ready.shift();
      if (next !== undefined) {
        try {
          yield next.value;
        } finally {
          next.taken();
        }
      } else if (left === 0) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    isOver = true;
    signal?.removeEventListener("abort", stop);
    for (const { taken } of ready) taken();
  }
}
