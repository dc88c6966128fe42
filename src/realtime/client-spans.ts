import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Connection } from '../connection/connection';
import type { UserId } from '../notification/ids';
import type { ClientMessage } from '../protocol/client-message';
import { NotificationTraces } from '../telemetry/notification-traces';
import { ATTRIBUTE, SPAN } from '../telemetry/span-names';
import { Tracer, type Span } from '../telemetry/tracer';

const QUERY_TOKEN = /[?&]token=/;

/** The spans of clients: how they came, how long they stayed, what they said. */
@Injectable()
export class ClientSpans {
  constructor(
    private readonly tracer: Tracer,
    private readonly traces: NotificationTraces,
  ) {}

  get areOn(): boolean {
    return this.tracer.enabled;
  }

  handshake(name: typeof SPAN.wsUpgrade | typeof SPAN.sseConnect, { url = '' }: IncomingMessage): Span {
    const span = this.tracer.start(name);
    return this.areOn ? span.set(ATTRIBUTE.hasQueryToken, QUERY_TOKEN.test(url)) : span;
  }

  /** To be ended with the connection. */
  connection(user: UserId): Span {
    return this.tracer.start(SPAN.wsConnection).set(ATTRIBUTE.userId, user);
  }

  /** `ws.message` and, for what has one, the span of the command, around `work`. */
  message<T>(connection: Connection, message: ClientMessage, parent: Span, work: () => T): T {
    return this.tracer.trace(
      SPAN.wsMessage,
      (span) => {
        span
          .set(ATTRIBUTE.connectionId, connection.identity.id)
          .set(ATTRIBUTE.userId, connection.user)
          .set(ATTRIBUTE.messageType, message.kind);
        return this.command(connection, message, span, work);
      },
      parent,
    );
  }

  private command<T>(connection: Connection, message: ClientMessage, parent: Span, work: () => T): T {
    const { id } = connection.identity;
    switch (message.kind) {
      case 'invalid':
      case 'ping':
        return work();
      case 'subscribe':
      case 'unsubscribe':
        return this.tracer.trace(
          message.kind === 'subscribe' ? SPAN.wsSubscribe : SPAN.wsUnsubscribe,
          (span) => {
            span.set(ATTRIBUTE.connectionId, id).set(ATTRIBUTE.channelCount, message.channels.length);
            return work();
          },
          parent,
        );
      case 'ack': {
        // Closes the trace that the notification carried to this client; linked, because it has two parents then.
        const origin = this.traces.traceparentOf(message.notification);
        return this.tracer.trace(
          SPAN.wsAck,
          (span) => {
            span
              .set(ATTRIBUTE.connectionId, id)
              .set(ATTRIBUTE.userId, connection.user)
              .set(ATTRIBUTE.notificationId, message.notification);
            return work();
          },
          origin ?? parent,
          origin === undefined ? undefined : parent.traceparent,
        );
      }
    }
  }
}
