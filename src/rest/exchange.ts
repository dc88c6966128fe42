import type { IncomingMessage, ServerResponse } from 'node:http';
import { type JsonBody, parseJsonBody } from '../http/json-body';
import { presetHeaders } from '../http/preset-headers';
import type { Route } from '../http/route-table';
import { AraError } from '../notification/ara-error';
import type { TenantId } from '../notification/ids';

const exchanges = new WeakMap<IncomingMessage, Exchange>();

/** One request and what the front door has found out about it. */
export class Exchange {
  readonly path: string;
  /** Headers of the answer, name and value in turn, until they are handed to Express or sent. */
  headers: string[] = [];
  /** undefined: the request does not confine itself to one. */
  tenant: TenantId | undefined;
  #bytes: Buffer | undefined;
  #body: JsonBody | undefined;

  constructor(
    readonly request: IncomingMessage & { id?: unknown },
    readonly response: ServerResponse,
    readonly requestId: string,
  ) {
    this.path = pathOf(request.url ?? '/');
    // Where the request log looks for it.
    request.id = requestId;
  }

  get method(): string {
    return this.request.method ?? 'GET';
  }

  /** W3C trace context of the caller, unchecked. */
  get traceparent(): string | undefined {
    const header = this.request.headers['traceparent'];
    return typeof header === 'string' ? header : undefined;
  }

  /** The tenant of a route that cannot do without. */
  get requiredTenant(): TenantId {
    if (this.tenant === undefined) throw new AraError('TENANT_REQUIRED', 'The X-Tenant-ID header is required');
    return this.tenant;
  }

  /** What the client sent, before anybody has looked whether it is JSON. */
  get requiredBytes(): Buffer {
    if (this.#bytes === undefined) throw new AraError('INTERNAL_ERROR', 'This route has not been given its body');
    return this.#bytes;
  }

  /** The same as JSON, parsed when it is asked for. Throws INVALID_JSON or INVALID_SHAPE. */
  get requiredBody(): JsonBody {
    return (this.#body ??= parseJsonBody(this.requiredBytes));
  }

  received(bytes: Buffer): void {
    this.#bytes = bytes;
  }

  /** Leaves the answer to Express: from here on a controller finds this exchange by its request. Throws for a body that is no JSON. */
  handOver(): void {
    if (this.#bytes !== undefined) this.#body ??= parseJsonBody(this.#bytes);
    presetHeaders(this.response, this.headers);
    this.headers = [];
    exchanges.set(this.request, this);
  }

  /** Throws for a request that did not come through the front door. */
  static of(request: IncomingMessage): Exchange {
    const exchange = exchanges.get(request);
    if (exchange === undefined) throw new AraError('INTERNAL_ERROR', 'This request did not pass the front door');
    return exchange;
  }
}

/** Without query; a proxy may send the whole URL (RFC 9112, 3.2.2). */
function pathOf(url: string): string {
  const local = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '');
  const query = local.indexOf('?');
  return (query === -1 ? local : local.slice(0, query)) || '/';
}

/** Throws NOT_FOUND, or METHOD_NOT_ALLOWED with an `Allow` header. */
export function requireRoute(exchange: Exchange, route: Route | undefined): Route {
  const { method } = exchange;
  if (route === undefined) throw new AraError('NOT_FOUND', 'No such route');
  if (route.methods.has(method)) return route;
  const allow = [...route.methods].join(', ');
  exchange.headers.push('Allow', allow);
  throw new AraError('METHOD_NOT_ALLOWED', `Method ${method} is not allowed here`, { details: { allow } });
}
