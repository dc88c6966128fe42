import { Injectable } from '@nestjs/common';
import { ClusterBus } from '../cluster/cluster-bus';
import type { Connection } from '../connection/connection';
import { ConnectionRegistry } from '../connection/connection-registry';
import { AcknowledgementService } from '../dispatch/acknowledgement.service';
import { type ChannelName, type NotificationId, parseChannelName } from '../notification/ids';
import { type ClientMessage, parseClientMessage } from '../protocol/client-message';
import type { Frame } from '../protocol/frame';
import { ackedFrame, errorFrame, PONG, subscribedFrame, unsubscribedFrame } from '../protocol/server-message';
import { Metrics } from '../telemetry/metrics';
import type { Span } from '../telemetry/tracer';
import { TenantService } from '../tenant/tenant.service';
import { ClientSpans } from './client-spans';

const RECEIVED_TYPES = ['subscribe', 'unsubscribe', 'ping', 'ack'] as const;

/** What WebSocket clients may ask for, and how they are answered (docs/websocket.md). */
@Injectable()
export class ClientCommands {
  private readonly received;

  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly bus: ClusterBus,
    private readonly tenants: TenantService,
    private readonly acknowledgements: AcknowledgementService,
    private readonly spans: ClientSpans,
    metrics: Metrics,
  ) {
    const received = metrics.labelledCounter(
      'ara_ws_messages_received_total',
      'Messages from WebSocket clients',
      ['type'],
      RECEIVED_TYPES.map((type) => [type]),
    );
    this.received = {
      subscribe: received.with('subscribe'),
      unsubscribe: received.with('unsubscribe'),
      ping: received.with('ping'),
      ack: received.with('ack'),
    };
  }

  /** Answers one message; `span` is the connection's. A promise when that takes more than this turn; it never rejects. */
  handle(connection: Connection, text: string, span: Span): Promise<void> | undefined {
    // What waited behind a slow answer while the client left: nobody would end such a subscription.
    if (!connection.isOpen) return undefined;
    const message = parseClientMessage(text);
    return this.spans.areOn ? this.traced(connection, message, span) : this.answer(connection, message);
  }

  private traced(connection: Connection, message: ClientMessage, span: Span): Promise<void> | undefined {
    return this.spans.message(connection, message, span, () => this.answer(connection, message));
  }

  private answer(connection: Connection, message: ClientMessage): Promise<void> | undefined {
    if (message.kind === 'invalid') {
      connection.send(errorFrame('INVALID_MESSAGE', message.message));
      return undefined;
    }
    this.received[message.kind].inc();
    switch (message.kind) {
      case 'ping':
        connection.send(PONG);
        return undefined;
      case 'subscribe':
        return this.answerSubscribe(connection, message.channels);
      case 'unsubscribe':
        this.unsubscribe(connection, message.channels);
        return undefined;
      case 'ack':
        return this.acknowledge(connection, message.notification);
    }
  }

  /** Each name on its own; resolves when every node knows of the accepted ones. */
  async subscribe(
    connection: Connection,
    names: readonly string[],
  ): Promise<{ readonly accepted: readonly string[]; readonly refusals: readonly string[] }> {
    const outcomes = await Promise.all(names.map((name) => this.subscribeTo(connection, name)));
    return {
      accepted: names.filter((_, index) => outcomes[index] === undefined),
      refusals: outcomes.filter((outcome) => outcome !== undefined),
    };
  }

  /** Ends what a connection that is gone had subscribed to. */
  forget(connection: Connection, channels: Iterable<ChannelName>): void {
    for (const channel of channels) this.bus.release({ kind: 'channel', tenant: connection.tenant, channel });
  }

  private async answerSubscribe(connection: Connection, names: readonly string[]): Promise<void> {
    const { accepted, refusals } = await this.subscribe(connection, names);
    if (accepted.length > 0) connection.send(subscribedFrame(accepted));
    if (refusals.length > 0) connection.send(subscriptionError(refusals));
  }

  /** Why it was refused; undefined: subscribed, and other nodes know. */
  private async subscribeTo(connection: Connection, name: string): Promise<string | undefined> {
    const channel = parseChannelName(name);
    if (channel === undefined) return `Invalid channel name: ${name}`;
    if (!connection.identity.mayHear(channel)) return `Channel not allowed: ${name}`;
    const max = this.tenants.limitsOf(connection.tenant).maxSubscriptionsPerConnection;
    const outcome = this.registry.subscribe(connection, channel, max);
    if (outcome === 'full') return `Subscription limit exceeded (${connection.subscriptions.size}/${max})`;
    if (outcome === 'already') return undefined;
    try {
      await this.bus.retain({ kind: 'channel', tenant: connection.tenant, channel });
      return undefined;
    } catch {
      if (this.registry.unsubscribe(connection, channel)) this.forget(connection, [channel]);
      return `Not possible at the moment, try again: ${name}`;
    }
  }

  private unsubscribe(connection: Connection, names: readonly string[]): void {
    for (const name of names) {
      const channel = parseChannelName(name);
      if (channel !== undefined && this.registry.unsubscribe(connection, channel)) this.forget(connection, [channel]);
    }
    if (names.length > 0) connection.send(unsubscribedFrame(names));
  }

  private async acknowledge(connection: Connection, id: NotificationId): Promise<void> {
    const answer = await this.acknowledgements.acknowledge(connection.tenant, connection.user, id);
    if (answer === 'acked') connection.send(ackedFrame(id));
    else if (answer === 'invalid') {
      connection.send(errorFrame('INVALID_ACK', `Unknown or invalid notification: ${id}`));
    }
  }
}

export function subscriptionError(refusals: readonly string[]): Frame {
  return errorFrame('SUBSCRIPTION_ERROR', refusals.join('; '));
}
