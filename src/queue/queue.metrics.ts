import { Injectable } from '@nestjs/common';
import { Metrics } from '../telemetry/metrics';
import { QueueStore } from './queue-store';

const BYTES_PER_ENTRY = 1024;

/** What the queue counts. Gauges speak of the store, so in a cluster of what all nodes share. */
@Injectable()
export class QueueMetrics {
  readonly enqueued;
  readonly expired;
  readonly dropped;
  readonly replayed;

  constructor(metrics: Metrics, store: QueueStore) {
    this.enqueued = metrics.counter('ara_queue_enqueued_total', 'Entries left in the queue after a send');
    this.expired = metrics.counter('ara_queue_expired_total', 'Entries removed because their life was over');
    this.dropped = metrics.counter('ara_queue_dropped_total', 'Entries pushed out by the limit per user or given up');
    this.replayed = metrics.counter('ara_queue_replayed_total', 'Entries sent to a connection from the queue');
    const size = (): ReturnType<QueueStore['size']> => store.size(Date.now());
    metrics.gauge('ara_queue_size_total', 'Entries in the queue', { shared: async () => (await size()).messages });
    metrics.gauge('ara_queue_users_total', 'Users with entries in the queue', {
      shared: async () => (await size()).users,
    });
    metrics.gauge('ara_queue_memory_bytes', 'Estimated memory of the queue in this process', async () =>
      store.backend === 'memory' ? (await size()).messages * BYTES_PER_ENTRY : 0,
    );
  }
}
