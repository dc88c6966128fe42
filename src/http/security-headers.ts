import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';
import type { HeaderList } from './cors';

/**
 * Helmet's defaults, computed once. `upgrade-insecure-requests` is left out: over plain HTTP it breaks pages and sockets
 * on every host but localhost.
 */
export function securityHeaders(): HeaderList {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const apply = helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } });
  apply(response.req, response, () => undefined);
  return response.getHeaderNames().flatMap((name) => [canonical(name), String(response.getHeader(name))]);
}

function canonical(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
