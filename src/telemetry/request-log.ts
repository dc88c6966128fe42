import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { withoutQuery } from './logging';

/**
 * One `debug` line per HTTP request: method, path without query, status, duration, and as `request_id` what the HTTP edge
 * set as `request.id`. At `info` and above nothing is even attached, because a line per request would cost more than the
 * request; figures are what the metrics are for. It listens to the server itself, so that it sees what is answered before
 * the framework as well.
 */
export function logRequests(server: Server, logger: Logger): void {
  if (!logger.isLevelEnabled('debug')) return;
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const startedAt = performance.now();
    const { method, url } = request;
    response.once('close', () => {
      logger.debug({
        msg: response.writableFinished ? 'request' : 'request aborted',
        method,
        path: withoutQuery(url),
        status: response.statusCode,
        duration_ms: Math.round((performance.now() - startedAt) * 100) / 100,
        request_id: request.id,
      });
    });
  });
}
