import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { Identity } from '../auth/identity';
import { findToken, INVALID_TOKEN } from '../auth/token-source';
import { TokenVerifier } from '../auth/token-verifier';
import { AraConfig } from '../config/ara-config';
import { clientAddress } from '../http/client-address';
import { errorAnswer } from '../http/error-body';
import { rateLimited, rateLimitHeaders } from '../rate-limit/rate-limited';
import { type Eventual, whenThere } from '../notification/eventual';
import { RateLimitService } from '../rate-limit/rate-limit.service';

/** An HTTP answer given in place of a connection. */
export interface Refusal {
  readonly kind: 'refused';
  readonly status: number;
  readonly contentType: 'text/plain; charset=utf-8' | 'application/json; charset=utf-8';
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Admitted {
  readonly kind: 'admitted';
  readonly identity: Identity;
  /** To be echoed, or a browser drops the connection. */
  readonly subprotocol: string | undefined;
  /** The part of the URL behind `?`. */
  readonly query: string;
}

export type HandshakeResult = Refusal | Admitted;

/** The checks before a WebSocket or an SSE stream opens, the cheapest first; every answer is an HTTP answer. */
@Injectable()
export class Handshake {
  #isDraining = false;

  constructor(
    private readonly config: AraConfig,
    private readonly rateLimit: RateLimitService,
    private readonly tokens: TokenVerifier,
  ) {}

  /** From now on everybody is sent elsewhere. */
  drain(): void {
    this.#isDraining = true;
  }

  /** The token, and whether new connections are welcome at all. The attempt must have passed the limit before. */
  admit(request: IncomingMessage, transport: 'websocket' | 'sse'): HandshakeResult {
    if (this.#isDraining) return refusal(503, 'Server shutting down', { 'Retry-After': '5' });
    const query = queryOf(request);
    const found = findToken({
      query,
      authorization: request.headers.authorization,
      subprotocols: transport === 'websocket' ? request.headers['sec-websocket-protocol'] : undefined,
    });
    if (found.kind === 'refused') return refusal(found.status, found.message);
    const identity = this.tokens.verify(found.token);
    if (identity === undefined) return refusal(INVALID_TOKEN.status, INVALID_TOKEN.message);
    return { kind: 'admitted', identity, subprotocol: found.subprotocol, query };
  }

  /** Counts an attempt to upgrade; those to open a stream are counted by ConnectGuard, from the same bucket. */
  limit(request: IncomingMessage): Eventual<Refusal | undefined> {
    const address = clientAddress(
      request.socket.remoteAddress,
      request.headers['x-forwarded-for'],
      this.config.server.trustProxy,
    );
    return whenThere(this.rateLimit.connect(address), (decision): Refusal | undefined => {
      if (decision === undefined || decision.allowed) return undefined;
      const { status, body } = errorAnswer(rateLimited(decision), this.config.production);
      return {
        kind: 'refused',
        status,
        contentType: 'application/json; charset=utf-8',
        body: JSON.stringify(body),
        headers: rateLimitHeaders(decision),
      };
    });
  }
}

export function refusal(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Refusal {
  return { kind: 'refused', status, contentType: 'text/plain; charset=utf-8', body: text, headers };
}

function queryOf(request: IncomingMessage): string {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}
