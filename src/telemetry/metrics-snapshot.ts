import { AggregatorRegistry } from 'prom-client';
import { Subject } from '../workers/workers';

interface SnapshotValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

/** One metric with its values, as prom-client tells it. */
export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  /** How values of several processes become one: sum, first, min, max. */
  readonly aggregator: string;
  readonly values: readonly SnapshotValue[];
}

/** The metrics of each process. What a worker has counted stays when it ends. */
export const METRICS = new Subject<null, readonly MetricSnapshot[]>('metrics', {
  add: (departed, last) => {
    const growing = last.filter(({ type }) => type === 'counter' || type === 'histogram' || type === 'summary');
    return merged(departed === undefined ? [growing] : [departed, growing]);
  },
});

/** One metric of each name, out of several processes'. */
export function merged(parts: readonly (readonly MetricSnapshot[])[]): readonly MetricSnapshot[] {
  return aggregate(parts)
    .getMetricsAsArray()
    .map((metric) => {
      const { name, help, type, aggregator, values } = metric as unknown as MetricSnapshot;
      return { name, help, type, aggregator, values };
    });
}

/** The text of a scrape, out of several processes' metrics. */
export function rendered(parts: readonly (readonly MetricSnapshot[])[]): Promise<string> {
  return aggregate(parts).metrics();
}

/** What the registry itself says of a metric, with our way to aggregate those of Node that prom-client averages or omits. */
export async function snapshotOf(metric: unknown): Promise<MetricSnapshot> {
  // prom-client declares another type for what its registry gives than for what it is.
  const { name, help, type, aggregator, values } = await (metric as { get(): Promise<MetricSnapshot> }).get();
  // The lag of the slowest worker is what its clients feel; and the youngest start tells of a restart.
  const isMaximum = aggregator === 'average' || aggregator === 'omit';
  return { name, help, type, aggregator: isMaximum ? 'max' : aggregator, values };
}

function aggregate(parts: readonly (readonly MetricSnapshot[])[]): ReturnType<typeof AggregatorRegistry.aggregate> {
  return AggregatorRegistry.aggregate(parts.map((part) => [...part]));
}
