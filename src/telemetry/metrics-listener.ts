import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { withoutQuery } from './logging';
import { MetricsEndpoint } from './metrics-endpoint';

/** `GET /metrics` on a port of its own, where everything else is 404. Answers until the very end of a shutdown. */
export class MetricsListener {
  readonly #server: Server;

  constructor(endpoint: MetricsEndpoint) {
    this.#server = createServer((request: IncomingMessage, response: ServerResponse) => {
      const isScrape = withoutQuery(request.url) === '/metrics' && /^(GET|HEAD)$/.test(request.method ?? '');
      if (isScrape) void endpoint.answer(request.headers.authorization, response);
      else response.writeHead(404).end();
    });
  }

  /** Resolves with the port; rejects when it is taken. */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
