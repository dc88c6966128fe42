/** Longest that a scrape waits for one value. */
const TIMEOUT_MS = 500;

export type ReadNumber = () => number | Promise<number>;

/**
 * Wraps a reader so that it always answers in bounded time and never fails: late or failing, it gives the last value that
 * it knew. A reader that hangs is not asked again until it has answered, so that scrapes cannot pile up on a slow store.
 */
export function boundedReader(read: ReadNumber, timeoutMs = TIMEOUT_MS): ReadNumber {
  let last = 0;
  let pending: Promise<number> | undefined;
  return async () => {
    // The owner of the store counts and logs its failures; a scrape must not fail by them.
    pending ??= Promise.resolve()
      .then(read)
      .then(
        (value) => (last = value),
        () => last,
      )
      .finally(() => {
        pending = undefined;
      });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<number>((resolve) => {
      timer = setTimeout(() => {
        resolve(last);
      }, timeoutMs);
    });
    try {
      return await Promise.race([pending, late]);
    } finally {
      clearTimeout(timer);
    }
  };
}
