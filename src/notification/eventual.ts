/**
 * A value that is there, or on its way. What a notification passes is mostly there at once: a promise for each step would
 * cost more than the steps.
 */
export type Eventual<T> = T | Promise<T>;

/** Uses the value now, or when it is there. Throws, or rejects, as `use` does. */
export function whenThere<T, R>(value: Eventual<T>, use: (value: T) => Eventual<R>): Eventual<R> {
  return value instanceof Promise ? value.then(use) : use(value);
}
