import { Injectable } from '@nestjs/common';
import { Metrics, type Counter, type Histogram, type Labelled } from '../telemetry/metrics';
import type { Exchange } from './exchange';

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const ITEMS = [1, 5, 10, 25, 50, 75, 100];
/** One label value for all paths that do not exist: anybody can invent more of them. */
const UNMATCHED = 'unmatched';
/** Lives as long as its reader wants: no latency. */
const STREAM = '/sse';
/** The client left before there was an answer; the number that proxies log for it. */
const CLIENT_CLOSED = 499;

/** What one method of one route counts into. */
interface RouteSeries {
  readonly latency: Histogram | undefined;
  readonly byStatus: Map<number, Counter>;
}

/** Counts requests and batches of both doors. */
@Injectable()
export class HttpMetrics {
  readonly #requests: Labelled<['method', 'path', 'status'], Counter>;
  readonly #latency: Labelled<['method', 'path'], Histogram>;
  readonly #batches: Counter;
  readonly #batchSize: Histogram;
  readonly #series = new Map<string, Map<string, RouteSeries>>();

  constructor(metrics: Metrics) {
    this.#requests = metrics.labelledCounter('ara_http_requests_total', 'HTTP requests, by route and status', [
      'method',
      'path',
      'status',
    ]);
    this.#latency = metrics.labelledHistogram(
      'ara_http_request_latency_seconds',
      'Time from the headers of a request to the end of its answer; streams are left out',
      ['method', 'path'],
      SECONDS,
    );
    this.#batches = metrics.counter('ara_batch_requests_total', 'Batch requests that were processed');
    this.#batchSize = metrics.histogram('ara_batch_size', 'Items per batch', ITEMS);
  }

  /** Counts the exchange when its answer has left, or its client has. */
  watch({ method, response }: Exchange, pattern = UNMATCHED): void {
    const startedAt = performance.now();
    // Once per answer; `on`, because `once` wraps the listener and searches for it.
    response.on('close', () => {
      const { latency, byStatus } = this.#seriesOf(method, pattern);
      const status = response.headersSent ? response.statusCode : CLIENT_CLOSED;
      let requests = byStatus.get(status);
      if (requests === undefined) {
        byStatus.set(status, (requests = this.#requests.with(method, pattern, String(status))));
      }
      requests.inc();
      latency?.observe((performance.now() - startedAt) / 1000);
    });
  }

  countBatch(items: number): void {
    this.#batches.inc();
    this.#batchSize.observe(items);
  }

  /** Remembered, so that a request costs no search by all labels; there are as many as routes and Node's few methods. */
  #seriesOf(method: string, pattern: string): RouteSeries {
    let ofPattern = this.#series.get(pattern);
    if (ofPattern === undefined) this.#series.set(pattern, (ofPattern = new Map<string, RouteSeries>()));
    let series = ofPattern.get(method);
    if (series === undefined) {
      const latency = pattern === STREAM ? undefined : this.#latency.with(method, pattern);
      ofPattern.set(method, (series = { latency, byStatus: new Map<number, Counter>() }));
    }
    return series;
  }
}
