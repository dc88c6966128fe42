import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Injectable, Logger } from '@nestjs/common';
import type { WebSocketServer } from 'ws';
import { AraConfig } from '../config/ara-config';
import { chosenSubprotocol } from './chosen-subprotocol';
import { Handshake, type HandshakeResult, type Refusal, refusal } from './handshake';
import { declineNarrowWindow } from './shared-deflate';
import { checkUpgrade } from './upgrade-check';

const WS_PATH = '/ws';

/** Answers upgrade requests: an HTTP error, or the 101 and a connection for the gateway. */
@Injectable()
export class WsUpgrade {
  private readonly logger = new Logger(WsUpgrade.name);

  constructor(
    private readonly handshake: Handshake,
    private readonly config: AraConfig,
  ) {}

  /** Never rejects. `server` emits `connection` with the client, the request and what was admitted. */
  async handle(server: WebSocketServer, request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const destroy = (): void => {
      socket.destroy();
    };
    socket.on('error', destroy);
    try {
      const result = pathOf(request) === WS_PATH ? await this.attempt(request) : refusal(404, 'WebSockets open at /ws');
      if (!socket.writable) return;
      if (result.kind === 'refused') {
        refuse(socket, result);
        return;
      }
      socket.off('error', destroy);
      if (result.subprotocol !== undefined) chosenSubprotocol.set(request, result.subprotocol);
      declineNarrowWindow(request);
      server.handleUpgrade(request, socket, head, (client) => {
        server.emit('connection', client, request, result);
      });
    } catch (error) {
      this.logger.error(`Upgrade failed: ${error instanceof Error ? error.message : String(error)}`);
      refuse(socket, refusal(500, 'Internal server error'));
    }
  }

  private async attempt(request: IncomingMessage): Promise<HandshakeResult> {
    return (await this.handshake.limit(request)) ?? this.check(request) ?? this.handshake.admit(request, 'websocket');
  }

  /** What is wrong with the request as an upgrade, if anything. Browsers' origins count in production only. */
  check(request: IncomingMessage): Refusal | undefined {
    return checkUpgrade(request, this.config.production ? this.config.server.corsOrigins : []);
  }
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark === -1 ? url : url.slice(0, mark);
}

function refuse(socket: Socket, { status, contentType, body, headers }: Refusal): void {
  const lines = Object.entries({
    'Content-Type': contentType,
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}
