import { Injectable } from '@nestjs/common';
import { Metrics } from '../telemetry/metrics';
import { AckStore } from './ack-store';
import { GroupAcks } from './group-acks';

const LATENCY_BUCKETS_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What acknowledgements count: one per notification and user. */
@Injectable()
export class AckMetrics {
  readonly tracked;
  readonly received;
  readonly expired;
  readonly latency;

  constructor(metrics: Metrics, store: AckStore, groups: GroupAcks) {
    this.tracked = metrics.counter('ara_ack_tracked_total', 'Acknowledgements awaited so far');
    this.received = metrics.counter('ara_ack_received_total', 'Acknowledgements that came in time');
    this.expired = metrics.counter('ara_ack_expired_total', 'Acknowledgements that did not come in time');
    this.latency = metrics.histogram(
      'ara_ack_latency_seconds',
      'Time from sending a notification to its acknowledgement',
      LATENCY_BUCKETS_SECONDS,
    );
    metrics.gauge('ara_ack_pending', 'Acknowledgements awaited now', {
      own: () => groups.pending,
      shared: async () => (store.backend === 'none' ? 0 : (await store.totals()).pending),
    });
  }
}
