import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { type INestApplication } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { type ServerOptions, WebSocketServer } from 'ws';
import { AraConfig } from '../config/ara-config';
import { chosenSubprotocol } from './chosen-subprotocol';
import { ClientSocket } from './client-socket';
import { serveWithoutUpgrade } from './declined-upgrade';
import { SHARED_DEFLATE } from './shared-deflate';
import { WsUpgrade } from './ws-upgrade';

const MAX_MESSAGE_BYTES = 65_536;
const MAX_FRAGMENTS = 1024;
const CLOSE_TIMEOUT_MS = 5000;

/**
 * Nest's WebSocket adapter without what it does per message: sessions listen to their sockets themselves, the
 * handshake is answered over HTTP before the upgrade, and shutting down is RealtimeGateway's.
 */
export class AraWsAdapter extends WsAdapter {
  constructor(private readonly app: INestApplication<Server>) {
    super(app);
  }

  override create(): WebSocketServer {
    // `closeTimeout` is newer than the published types of `ws`.
    const options: ServerOptions & { readonly closeTimeout: number } = {
      noServer: true,
      WebSocket: ClientSocket,
      clientTracking: false,
      maxPayload: MAX_MESSAGE_BYTES,
      maxFragments: MAX_FRAGMENTS,
      closeTimeout: CLOSE_TIMEOUT_MS,
      // Answered by the gateway, which looks at the backlog first.
      autoPong: false,
      perMessageDeflate: this.app.get(AraConfig).webSocket.compression && SHARED_DEFLATE,
      // The handshake chose already; without an echo a browser drops the connection.
      handleProtocols: (_offered, request) => chosenSubprotocol.get(request) ?? false,
    };
    const server = new WebSocketServer(options);
    const upgrade = this.app.get(WsUpgrade);
    const http = this.app.getHttpServer();
    http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      if (WsUpgrade.isMeant(request)) void upgrade.handle(server, request, socket, head);
      else serveWithoutUpgrade(http, request, socket, head);
    });
    return server;
  }

  override bindMessageHandlers(): void {
    // The session reads its own socket.
  }

  override bindClientDisconnect(): void {
    // The session hears its own close.
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }
}
