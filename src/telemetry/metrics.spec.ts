import { MAX_SERIES, Metrics } from './metrics';

let metrics: Metrics;

beforeEach(() => {
  metrics = new Metrics();
});

it('shows unlabelled metrics and known label values at 0 before anything happened', async () => {
  metrics.counter('sent_total', 'Sent');
  metrics.histogram('size', 'Sizes', [1, 5]);
  metrics.gauge('open', 'Open', () => 0);
  metrics.labelledCounter('asked_total', 'Asked', ['type'], [['http'], ['ws']]);

  expect(await metrics.render()).toBe(
    [
      '# HELP sent_total Sent',
      '# TYPE sent_total counter',
      'sent_total 0',
      '',
      '# HELP size Sizes',
      '# TYPE size histogram',
      'size_bucket{le="1"} 0',
      'size_bucket{le="5"} 0',
      'size_bucket{le="+Inf"} 0',
      'size_sum 0',
      'size_count 0',
      '',
      '# HELP open Open',
      '# TYPE open gauge',
      'open 0',
      '',
      '# HELP asked_total Asked',
      '# TYPE asked_total counter',
      'asked_total{type="http"} 0',
      'asked_total{type="ws"} 0',
      '',
    ].join('\n'),
  );
});

it('adds up counters and reads them at scrape time', async () => {
  const counter = metrics.counter('sent_total', 'Sent');
  counter.inc();
  counter.inc(41);
  expect(counter.value).toBe(42);
  expect(await metrics.render()).toContain('\nsent_total 42\n');
});

it('counts an observation in every bucket whose bound it does not exceed', async () => {
  const histogram = metrics.histogram('size', 'Sizes', [1, 5]);
  for (const size of [0.5, 1, 3, 5, 100]) histogram.observe(size);
  const text = await metrics.render();
  expect(text).toContain('size_bucket{le="1"} 2\n');
  expect(text).toContain('size_bucket{le="5"} 4\n');
  expect(text).toContain('size_bucket{le="+Inf"} 5\n');
  expect(text).toContain('size_sum 109.5\n');
  expect(text).toContain('size_count 5\n');
});

it('keeps one series per combination of label values, escaped', async () => {
  const latency = metrics.labelledHistogram('latency', 'Latency', ['method', 'path'], [1]);
  latency.with('GET', '/a"b\\c\n').observe(0.5);
  latency.with('GET', '/a"b\\c\n').observe(2);
  latency.with('PUT', '/').observe(2);
  const text = await metrics.render();
  expect(text).toContain('latency_bucket{le="1",method="GET",path="/a\\"b\\\\c\\n"} 1\n');
  expect(text).toContain('latency_count{method="GET",path="/a\\"b\\\\c\\n"} 2\n');
  expect(text).toContain('latency_count{method="PUT",path="/"} 1\n');
});

it('tells label values apart that would be equal if joined', () => {
  const labelled = metrics.labelledCounter('c_total', 'C', ['a', 'b']);
  expect(labelled.with('x', 'yz')).not.toBe(labelled.with('xy', 'z'));
  expect(labelled.with('x', 'yz')).toBe(labelled.with('x', 'yz'));
});

it('counts under `other` what exceeds the bound on series', async () => {
  const labelled = metrics.labelledCounter('c_total', 'C', ['path', 'status']);
  for (let i = 0; i < MAX_SERIES + 10; i++) labelled.with(`/${i}`, '200').inc();
  labelled.with('/0', '200').inc();
  const lines = (await metrics.render()).split('\n').filter((line) => line.startsWith('c_total{'));
  expect(lines).toHaveLength(MAX_SERIES + 1);
  expect(lines[0]).toBe('c_total{path="/0",status="200"} 2');
  expect(lines.at(-1)).toBe('c_total{path="other",status="other"} 10');
});

it('shows a labelled gauge as its owner has it, the surplus added up', async () => {
  const channels = new Map([['orders', 2]]);
  metrics.labelledGauge('subscriptions', 'Subscriptions', 'channel', () => channels);
  expect(await metrics.render()).toContain('subscriptions{channel="orders"} 2\n');
  channels.clear();
  expect(await metrics.render()).not.toContain('subscriptions{');
  for (let i = 0; i < MAX_SERIES + 3; i++) channels.set(`c${i}`, 2);
  expect(await metrics.render()).toContain('subscriptions{channel="other"} 6\n');
});

it('shows the last value of a gauge whose reader fails', async () => {
  let fails = false;
  metrics.gauge('size', 'Size', () => {
    if (fails) throw new Error('store away');
    return 7;
  });
  await metrics.render();
  fails = true;
  expect(await metrics.render()).toContain('\nsize 7\n');
});

it('gives the same metric for the same registration and refuses another meaning', () => {
  expect(metrics.counter('a_total', 'A')).toBe(metrics.counter('a_total', 'A'));
  expect(metrics.histogram('h', 'H', [1, 2])).toBe(metrics.histogram('h', 'H', [1, 2]));
  expect(metrics.labelledCounter('l_total', 'L', ['x'])).toBe(metrics.labelledCounter('l_total', 'L', ['x']));
  metrics.gauge('g', 'G', () => 1);

  expect(() => metrics.counter('a_total', 'Something else')).toThrow('a_total');
  expect(() => metrics.labelledCounter('a_total', 'A', ['x'])).toThrow('a_total');
  expect(() => metrics.histogram('h', 'H', [1])).toThrow('h');
  expect(() => {
    metrics.gauge('g', 'G', () => 2);
  }).toThrow('g');
});

it('lists what was registered, with type and labels', () => {
  metrics.counter('a_total', 'A');
  metrics.labelledHistogram('h', 'H', ['x', 'y'], [1]);
  expect(metrics.list()).toEqual([
    { name: 'a_total', help: 'A', type: 'counter', labels: [] },
    { name: 'h', help: 'H', type: 'histogram', labels: ['x', 'y'] },
  ]);
});

it('keeps the numbers of two instances apart', async () => {
  metrics.counter('a_total', 'A').inc();
  const other = new Metrics();
  other.counter('a_total', 'A');
  expect(await other.render()).toContain('\na_total 0\n');
});
