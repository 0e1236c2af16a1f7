/** Asynchronous work on many items, a few at a time. */

/**
 * Maps items, at most `atOnce` at a time, in their order. The first failure is thrown once nothing is under way any more;
 * items that were not begun by then are left out.
 */
export async function mapBounded<From, To>(
  items: readonly From[],
  atOnce: number,
  map: (item: From) => Promise<To>,
): Promise<To[]> {
  const mapped: To[] = [];
  const failures: unknown[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) {
      if (failures.length > 0) return;
      try {
        mapped[index] = await map(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  if (failures.length > 0) throw failures[0];
  return mapped;
}
