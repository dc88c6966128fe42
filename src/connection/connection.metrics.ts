import { Injectable } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { Metrics } from '../telemetry/metrics';
import { EVERY_TENANT } from '../notification/target';
import { Census } from './census';
import { ConnectionRegistry } from './connection-registry';

const PER_USER_BUCKETS = [1, 2, 3, 4, 5, 10];
const DURATION_BUCKETS_SECONDS = [1, 5, 10, 30, 60, 300, 600, 1800, 3600];
const BYTES_PER_CONNECTION = 500;
const BYTES_PER_SUBSCRIPTION = 100;

/** What connections count, WebSocket and SSE together. */
@Injectable()
export class ConnectionMetrics {
  readonly opened;
  readonly closed;
  readonly duration;
  readonly perUser;

  constructor(
    metrics: Metrics,
    private readonly registry: ConnectionRegistry,
    census: Census,
    config: AraConfig,
  ) {
    this.opened = metrics.counter('ara_ws_connections_opened_total', 'Connections opened');
    this.closed = metrics.counter('ara_ws_connections_closed_total', 'Connections closed');
    this.duration = metrics.histogram(
      'ara_ws_connection_duration_seconds',
      'How long a connection lived',
      DURATION_BUCKETS_SECONDS,
    );
    this.perUser = metrics.histogram(
      'ara_connections_per_user',
      'Connections of a user, seen when one more opens',
      PER_USER_BUCKETS,
    );
    metrics.gauge('ara_connections_total', 'Open connections', () => registry.size);
    metrics.gauge('ara_users_connected', 'Users with an open connection, per tenant', {
      shared: async () => (await census.whole()).users,
    });
    metrics.gauge('ara_channels_active', 'Channels with a subscriber', {
      shared: async () => (await census.whole()).channels,
    });
    metrics.gauge(
      'ara_connection_manager_memory_bytes',
      'Estimated memory of the connection registry: 500 bytes a connection, 100 a subscription',
      () => registry.size * BYTES_PER_CONNECTION + this.subscriptions() * BYTES_PER_SUBSCRIPTION,
    );
    // With tenants, channel names would show one tenant's business to whoever reads the metrics.
    if (!config.tenant.enabled) {
      metrics.labelledGauge('ara_channel_subscriptions', 'Subscribers of a channel', 'channel', () =>
        census.subscribersHere(),
      );
    }
  }

  private subscriptions(): number {
    let sum = 0;
    for (const tenant of this.registry.inScope(EVERY_TENANT)) sum += tenant.subscriptionCount;
    return sum;
  }
}
