import type { IncomingMessage } from 'node:http';
import { Logger } from '@nestjs/common';
import { type OnGatewayConnection, WebSocketGateway } from '@nestjs/websockets';
import type { RawData, WebSocket } from 'ws';
import { AraConfig } from '../config/ara-config';
import type { Connection } from '../connection/connection';
import { Clock } from '../notification/clock';
import { CLOSE } from '../protocol/close-reason';
import { connectedFrame, errorFrame } from '../protocol/server-message';
import { RateLimitService } from '../rate-limit/rate-limit.service';
import type { Span } from '../telemetry/tracer';
import { ClientCommands } from './client-commands';
import { ClientSpans } from './client-spans';
import type { Admitted } from './handshake';
import { Inbox } from './inbox';
import { retryMs } from './retry-hint';
import { limitMessage, SessionService } from './session.service';
import { WsSink } from './ws-sink';

const MAX_BACKLOG_FOR_PONG_BYTES = 64 * 1024;
const BINARY_REFUSED = errorFrame('UNSUPPORTED_FORMAT', 'Binary messages are not supported');
const TOO_MANY_MESSAGES = errorFrame('RATE_LIMITED', 'Too many messages, this one was dropped');

/** WebSocket clients: from the 101 to the end of the socket. */
@WebSocketGateway()
export class RealtimeGateway implements OnGatewayConnection<WebSocket> {
  private readonly logger = new Logger(RealtimeGateway.name);

  constructor(
    private readonly sessions: SessionService,
    private readonly commands: ClientCommands,
    private readonly rateLimit: RateLimitService,
    private readonly config: AraConfig,
    private readonly clock: Clock,
    private readonly spans: ClientSpans,
  ) {}

  handleConnection(client: WebSocket, request: IncomingMessage, admitted: Admitted): void {
    const sink = new WsSink(client, request.socket);
    const connection = this.sessions.create(admitted.identity, sink, { hearsAllChannels: false });
    client.on('error', (error) => {
      this.logger.debug({ msg: 'A client broke the protocol', connection_id: connection.identity.id, err: error });
    });
    const span = this.spans.connection(connection.user);
    let hasEnded = false;
    const end = (): void => {
      if (hasEnded) return;
      hasEnded = true;
      this.sessions.end(connection);
      // Here and not when the socket is gone: a drain waits for this, and then the spans are sent for the last time.
      span.end();
    };
    // Nothing may follow a close frame; and who leaves may come back at once, whatever the limits.
    client.on('closing', end);
    client.on('close', end);
    this.listen(client, connection, span);
    this.open(connection).catch((error: unknown) => {
      this.logger.error({ msg: 'Could not open a session', connection_id: connection.identity.id, err: error });
      connection.close(CLOSE.overloaded);
    });
  }

  private async open(connection: Connection): Promise<void> {
    // Whatever the client says waits until it is registered.
    connection.sink.pause();
    const { tenant, user, identity } = connection;
    const elsewhere = this.config.cluster.enabled
      ? await this.sessions.countElsewhere(tenant, user)
      : { tenant: 0, user: 0 };
    if (!connection.isOpen) return;
    const admission = this.sessions.admit(connection, elsewhere);
    if (admission.kind === 'refused') {
      connection.send(errorFrame('CONNECTION_LIMIT', limitMessage(admission, user)));
      connection.close(CLOSE.connectionLimit);
      return;
    }
    if (this.config.webSocket.sendConnected) connection.send(connectedFrame(identity.id, user, retryMs()));
    await this.sessions.open(connection);
    connection.sink.resume();
  }

  private listen(client: WebSocket, connection: Connection, span: Span): void {
    const bucket = this.rateLimit.messageBucket();
    const inbox = new Inbox((text) => this.commands.handle(connection, text, span), connection.sink);
    const alive = (): void => {
      connection.lastActivity = this.clock.now();
    };
    client.on('ping', (data: Buffer) => {
      alive();
      // Whoever pings and does not read gets no memory for it; answering the latest ping is enough (RFC 6455, 5.5.3).
      if (connection.backlogBytes < MAX_BACKLOG_FOR_PONG_BYTES) client.pong(data);
    });
    client.on('pong', alive);
    client.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) {
        connection.send(BINARY_REFUSED);
        return;
      }
      alive();
      if (bucket.take(connection.lastActivity)) inbox.take(textOf(data));
      else connection.send(TOO_MANY_MESSAGES);
    });
  }
}

/** `ws` gives one Buffer for a text message, whatever its type says. */
function textOf(data: RawData): string {
  return Buffer.isBuffer(data)
    ? data.toString()
    : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]).toString();
}
