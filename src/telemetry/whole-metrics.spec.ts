import { collectDefaultMetrics } from 'prom-client';
import { Metrics } from './metrics';
import { METRICS, merged, rendered, snapshotOf, type MetricSnapshot } from './metrics-snapshot';

type Part = readonly MetricSnapshot[];

/** A worker with so many of everything. */
function worker(n: number): Metrics {
  const metrics = new Metrics();
  metrics.counter('sent_total', 'Sent').inc(n);
  metrics.labelledCounter('asked_total', 'Asked', ['type', 'by']).with('http', `worker-${n}`).inc(n);
  const histogram = metrics.histogram('size', 'Sizes', [1, 5]);
  for (let i = 0; i < n; i++) histogram.observe(2);
  metrics.gauge('open', 'Open', () => n);
  metrics.gauge('connected', 'Connected', { own: () => (n === 1 ? 1 : 0), across: 'min' });
  metrics.gauge('breaker', 'Breaker', { own: () => n, across: 'max' });
  metrics.gauge('stored', 'Stored', { shared: () => 100 });
  metrics.gauge('pending', 'Pending', { own: () => n, shared: () => 50 });
  metrics.labelledGauge('subscribers', 'Subscribers', 'channel', () => new Map([['news', n]]));
  return metrics;
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => /^[a-z]/.test(line));

it('adds up what is each one’s own, and asks once for what they share', async () => {
  const [first, second] = [worker(1), worker(2)];
  const parts = await Promise.all([first.snapshot('own'), second.snapshot('own'), first.snapshot('shared')]);
  expect(linesOf(await rendered(structuredClone(parts)))).toEqual([
    'sent_total 3',
    'asked_total{type="http",by="worker-1"} 1',
    'asked_total{type="http",by="worker-2"} 2',
    'size_bucket{le="1"} 0',
    'size_bucket{le="5"} 3',
    'size_bucket{le="+Inf"} 3',
    'size_sum 6',
    'size_count 3',
    'open 3',
    'connected 0',
    'breaker 2',
    'pending 53',
    'subscribers{channel="news"} 3',
    'stored 100',
  ]);
});

it('shows both parts of a gauge where there is one process', async () => {
  expect(linesOf(await worker(1).render())).toEqual(expect.arrayContaining(['stored 100', 'pending 51', 'open 1']));
});

it('keeps of ended workers what only grows', async () => {
  const [first, second] = await Promise.all([worker(1), worker(2)].map((one) => one.snapshot('own')));
  const departed = METRICS.legacy!.add(METRICS.legacy!.add(undefined, first!), second!);
  expect(linesOf(await rendered([departed]))).toEqual([
    'sent_total 3',
    'asked_total{type="http",by="worker-1"} 1',
    'asked_total{type="http",by="worker-2"} 2',
    'size_bucket{le="1"} 0',
    'size_bucket{le="5"} 3',
    'size_bucket{le="+Inf"} 3',
    'size_sum 6',
    'size_count 3',
  ]);
  expect(structuredClone(departed)).toEqual(departed);
});

it('shows the slowest worker’s lag and the youngest one’s start of the metrics of Node', async () => {
  const metrics = new Metrics();
  collectDefaultMetrics({ register: metrics.registry });
  const own = await metrics.snapshot('own');
  const whole = merged(structuredClone([own, own]));
  const value = (name: string, of: Part): number => of.find((one) => one.name === name)!.values[0]!.value;
  for (const name of ['process_start_time_seconds', 'nodejs_version_info', 'nodejs_eventloop_lag_p99_seconds']) {
    expect(value(name, whole)).toBe(value(name, own));
  }
  expect(value('process_resident_memory_bytes', whole)).toBe(2 * value('process_resident_memory_bytes', own));
  expect(whole).toHaveLength(own.length);
  expect((await snapshotOf(metrics.registry.getMetricsAsArray()[0])).name).toBe(own[0]!.name);
});
