/** Name and value in turn, as `ServerResponse.writeHead` takes them. */
export type HeaderList = readonly string[];

const EXPOSED = 'X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After';

/**
 * Cross-origin rules. Without configured origins anybody may read, without credentials; with them exactly those are
 * echoed, and nobody else gets permission. A request is never refused here: withholding the header is what stops a browser.
 */
export class CorsPolicy {
  readonly #origins: ReadonlySet<string>;

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** For the answer to a request that carries this `Origin`. */
  headersFor(origin: string | undefined): HeaderList {
    const exposed = origin === undefined ? [] : ['Access-Control-Expose-Headers', EXPOSED];
    if (this.#origins.size === 0) return ['Access-Control-Allow-Origin', '*', ...exposed];
    if (origin === undefined || !this.#origins.has(origin)) return ['Vary', 'Origin'];
    return ['Vary', 'Origin', 'Access-Control-Allow-Origin', origin, ...exposed];
  }

  /** What the answer to `OPTIONS` says beyond `headersFor`. */
  get preflightHeaders(): HeaderList {
    if (this.#origins.size === 0) return ['Access-Control-Allow-Methods', '*', 'Access-Control-Allow-Headers', '*'];
    return [
      'Access-Control-Allow-Methods',
      'GET, POST, PUT, DELETE, OPTIONS',
      'Access-Control-Allow-Headers',
      'content-type, authorization, x-api-key, x-tenant-id',
    ];
  }
}
