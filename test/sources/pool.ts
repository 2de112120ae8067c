/** Starts work on many things, a few at once, in their order; the result of each as a promise that its test waits for. */
export function startAll<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): ReadonlyMap<T, Promise<R>> {
  const results = new Map(items.map((item) => [item, Promise.withResolvers<R>()]));
  const left = [...items];
  const lane = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      const result = results.get(item);
      await work(item).then(result?.resolve, result?.reject);
    }
  };
  for (let started = 0; started < atOnce; started++) lane().catch(() => undefined);
  // A test that waits for another first must not leave a rejection unheard.
  for (const { promise } of results.values()) promise.catch(() => undefined);
  return new Map([...results].map(([item, { promise }]) => [item, promise]));
}
