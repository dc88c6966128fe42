import { Injectable } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { Metrics } from '../telemetry/metrics';

/** What passes between nodes. */
@Injectable()
export class ClusterMetrics {
  readonly refreshed;
  readonly routed;
  readonly received;

  constructor(metrics: Metrics, config: AraConfig) {
    metrics.gauge('ara_cluster_enabled', 'Whether this node is one of a cluster (1) or alone (0)', {
      shared: () => (config.cluster.enabled ? 1 : 0),
    });
    this.refreshed = metrics.counter(
      'ara_cluster_sessions_refreshed_total',
      'Entries of the session directory whose life was prolonged',
    );
    this.routed = metrics.counter('ara_cluster_messages_routed_total', 'Notifications sent to other nodes, per node');
    this.received = metrics.counter('ara_cluster_messages_received_total', 'Notifications taken from other nodes');
  }
}
