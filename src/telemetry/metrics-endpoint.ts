import { createHash, timingSafeEqual } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Scrape } from './whole-metrics';

const UNAUTHORIZED = '{"error":{"code":"UNAUTHORIZED","message":"/metrics asks for its Bearer token"}}';

/** Answers a scrape, on whichever port it comes in. */
export class MetricsEndpoint {
  readonly #expected: Buffer | undefined;

  /** @param token what `Authorization: Bearer` must carry; undefined: open. */
  constructor(
    private readonly scrape: Scrape,
    token: string | undefined,
  ) {
    this.#expected = token === undefined ? undefined : digest(`Bearer ${token}`);
  }

  async answer(authorization: string | undefined, response: ServerResponse): Promise<void> {
    if (this.#expected !== undefined && !timingSafeEqual(digest(authorization ?? ''), this.#expected)) {
      send(response, 401, 'application/json; charset=utf-8', UNAUTHORIZED, { 'WWW-Authenticate': 'Bearer' });
      return;
    }
    try {
      send(response, 200, this.scrape.contentType, await this.scrape.render());
    } catch {
      send(response, 500, 'text/plain; charset=utf-8', 'The metrics could not be rendered');
    }
  }
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

/** Equal lengths for the comparison, so that it tells nothing of the token's. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
