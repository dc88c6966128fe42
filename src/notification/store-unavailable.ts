/** A store or bus that cannot be reached, or did not answer in time: the medium's fault, never the input's. */
export class StoreUnavailableError extends Error {
  constructor(
    readonly dependency: 'redis' | 'postgres',
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreUnavailableError';
  }
}
