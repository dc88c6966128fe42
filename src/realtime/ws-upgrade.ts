import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Injectable, Logger } from '@nestjs/common';
import type { WebSocketServer } from 'ws';
import { AraConfig } from '../config/ara-config';
import { type Eventual, whenThere } from '../notification/eventual';
import { SPAN } from '../telemetry/span-names';
import { chosenSubprotocol } from './chosen-subprotocol';
import { Handshake, type HandshakeResult, type Refusal, refusal } from './handshake';
import { ClientSpans } from './client-spans';
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
    private readonly spans: ClientSpans,
  ) {}

  /** Whether a request asks for this upgrade at all. */
  static isMeant(request: IncomingMessage): boolean {
    return pathOf(request) === WS_PATH;
  }

  /** Never rejects. `server` emits `connection` with the client, the request and what was admitted. */
  async handle(server: WebSocketServer, request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const destroy = (): void => {
      socket.destroy();
    };
    socket.on('error', destroy);
    const span = this.spans.handshake(SPAN.wsUpgrade, request);
    try {
      const attempt = this.attempt(request);
      const result = attempt instanceof Promise ? await attempt : attempt;
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
      span.fail(error);
    } finally {
      span.end();
    }
  }

  private attempt(request: IncomingMessage): Eventual<HandshakeResult> {
    return whenThere(
      this.handshake.limit(request),
      (refused) => refused ?? this.check(request) ?? this.handshake.admit(request, 'websocket'),
    );
  }

  /** What is wrong with the request as an upgrade, if anything. Browsers' origins count in production only. */
  check(request: IncomingMessage): Refusal | undefined {
    return checkUpgrade(request, this.config.production ? this.config.server.corsOrigins : []);
  }
}

function pathOf(request: IncomingMessage): string {
  // A proxy may send the whole URL (RFC 9112, 3.2.2).
  const url = (request.url ?? '').replace(/^https?:\/\/[^/?]*/i, '');
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
  // A client that keeps its side open would otherwise keep the socket; what it still sends is thrown away.
  socket.once('finish', () => socket.destroy()).resume();
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}
