const LOOK_EVERY_MS = 20;

/** Waits until `look` neither throws nor rejects, and returns its answer; fails with its last fault after `withinMs`. */
export async function eventually<T>(look: () => Promise<T> | T, withinMs = 10_000): Promise<T> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    try {
      return await look();
    } catch (fault) {
      if (performance.now() > untilMs) throw fault;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }
}
