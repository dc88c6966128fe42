import { Registry, type Metric } from 'prom-client';
import { boundedReader, type ReadNumber } from './bounded-reader';
import { snapshotOf, type MetricSnapshot } from './metrics-snapshot';

/** Series that one metric may have; what comes beyond is counted together under the label value `other`. */
export const MAX_SERIES = 500;
const OTHER = 'other';

export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface MetricDescription {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly labels: readonly string[];
}

/** A number that only grows. Costs one addition; read when Prometheus asks. */
export class Counter {
  value = 0;

  /** `n` must not be negative. */
  inc(n = 1): void {
    this.value += n;
  }
}

/** Counts observations per bucket. Costs a walk over the bounds (some ten comparisons). */
export class Histogram {
  count = 0;
  sum = 0;
  /** Observations per bucket, not cumulated; what lies above the last bound stands only in `count`. */
  readonly perBucket: number[];

  constructor(readonly bounds: readonly number[]) {
    this.perBucket = bounds.map(() => 0);
  }

  /** In the unit that the metric's name says. */
  observe(value: number): void {
    const { bounds, perBucket } = this;
    this.count++;
    this.sum += value;
    for (let i = 0; i < bounds.length; i++) {
      if (value <= (bounds[i] ?? Infinity)) {
        perBucket[i] = (perBucket[i] ?? 0) + 1;
        return;
      }
    }
  }
}

/** One series per combination of label values. */
export class Labelled<Labels extends readonly string[], Series> {
  readonly #series = new Map<string, readonly [readonly string[], Series]>();

  constructor(
    readonly labels: Labels,
    private readonly create: () => Series,
  ) {}

  /**
   * The series of these label values, made on first use. One map lookup: callers on the hot path keep what they get.
   * Beyond MAX_SERIES the answer is the one series whose labels all say `other`.
   */
  with(...values: ValuesOf<Labels>): Series {
    const found = this.#series.get(key(values));
    if (found !== undefined) return found[1];
    const room = this.#series.size < MAX_SERIES;
    return this.#add(room ? [...values] : this.labels.map(() => OTHER));
  }

  get series(): Iterable<readonly [readonly string[], Series]> {
    return this.#series.values();
  }

  #add(values: readonly string[]): Series {
    const existing = this.#series.get(key(values));
    if (existing !== undefined) return existing[1];
    const series = this.create();
    this.#series.set(key(values), [values, series]);
    return series;
  }
}

/** As many strings as there are labels, in their order. */
export type ValuesOf<Labels extends readonly string[]> = { readonly [K in keyof Labels]: string };

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

/** Where a gauge takes its number from; what it shows is the sum of both. */
export interface GaugeParts {
  /** What is this process's alone. */
  readonly own?: ReadNumber | undefined;
  /** What is the same whichever worker is asked (a shared store, the whole cluster): only the one that is scraped asks it. */
  readonly shared?: ReadNumber | undefined;
  /** How the own parts of several workers become one number. */
  readonly across?: 'sum' | 'min' | 'max';
}

interface Registered extends MetricDescription {
  /** Two registrations mean the same metric when this text and the description agree. */
  readonly shape: string;
  readonly instrument: unknown;
}

/**
 * Every metric of the process. They are plain numbers that the code adds to; prom-client's registry reads them when
 * Prometheus asks, so that no label is hashed and nothing allocated in between.
 *
 * A name may be registered again with the same meaning and gives the same metric; with another meaning it throws.
 */
export class Metrics {
  readonly #registered = new Map<string, Registered>();
  readonly #gauges = new Map<string, Required<GaugeParts> & Pick<MetricDescription, 'name' | 'help'>>();

  /** The registry is this instance's own, so that several applications can live in one process (tests). */
  constructor(readonly registry: Registry = new Registry()) {}

  counter(name: string, help: string): Counter {
    return this.#register({ name, help, type: 'counter', labels: [] }, '', () => {
      const counter = new Counter();
      return [counter, () => [{ value: counter.value, labels: {} }]];
    });
  }

  /** @param known rows of label values that are shown at 0 from the first scrape, e.g. `[['http'], ['ws']]`. */
  labelledCounter<const Labels extends readonly string[]>(
    name: string,
    help: string,
    labels: Labels,
    known: readonly ValuesOf<Labels>[] = [],
  ): Labelled<Labels, Counter> {
    return this.#register({ name, help, type: 'counter', labels }, '', () => {
      const labelled = new Labelled(labels, () => new Counter());
      for (const values of known) labelled.with(...values);
      return [
        labelled,
        () => Array.from(labelled.series, ([values, { value }]) => ({ value, labels: zip(labels, values) })),
      ];
    });
  }

  /** `read` is called at each scrape; when it takes too long or fails, the last value is shown again (0 before the first). */
  gauge(name: string, help: string, read: ReadNumber | GaugeParts): void {
    const { own, shared, across = 'sum' }: GaugeParts = typeof read === 'function' ? { own: read } : read;
    this.#register({ name, help, type: 'gauge', labels: [] }, 'read by its owner', () => {
      const bounded = (one?: ReadNumber): ReadNumber | undefined => one && boundedReader(one);
      const parts = { name, help, own: bounded(own), shared: bounded(shared), across };
      this.#gauges.set(name, parts);
      return [
        read,
        async () => {
          const [first, second] = await Promise.all([parts.own?.() ?? 0, parts.shared?.() ?? 0]);
          return [{ value: first + second, labels: {} }];
        },
      ];
    });
  }

  /** `read` is called at each scrape and must not throw. What exceeds MAX_SERIES is added up under `other`. */
  labelledGauge(name: string, help: string, label: string, read: () => ReadonlyMap<string, number>): void {
    this.#register({ name, help, type: 'gauge', labels: [label] }, 'read by its owner', () => [
      read,
      () => {
        const samples: Sample[] = [];
        let other = 0;
        for (const [labelValue, value] of read()) {
          if (samples.length < MAX_SERIES) samples.push({ value, labels: { [label]: labelValue } });
          else other += value;
        }
        if (other > 0) samples.push({ value: other, labels: { [label]: OTHER } });
        return samples;
      },
    ]);
  }

  /** @param buckets upper bounds, inclusive, ascending, without +Inf. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    return this.#register({ name, help, type: 'histogram', labels: [] }, buckets.join(), () => {
      const histogram = new Histogram(buckets);
      return [histogram, () => histogramSamples(name, histogram, {})];
    });
  }

  labelledHistogram<const Labels extends readonly string[]>(
    name: string,
    help: string,
    labels: Labels,
    buckets: readonly number[],
  ): Labelled<Labels, Histogram> {
    return this.#register({ name, help, type: 'histogram', labels }, buckets.join(), () => {
      const labelled = new Labelled(labels, () => new Histogram(buckets));
      return [
        labelled,
        () =>
          Array.from(labelled.series, ([values, histogram]) =>
            histogramSamples(name, histogram, zip(labels, values)),
          ).flat(),
      ];
    });
  }

  /** What was registered here, in order; the default metrics of the process are not among it. */
  list(): MetricDescription[] {
    return [...this.#registered.values()].map(({ name, help, type, labels }) => ({ name, help, type, labels }));
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** The text of a scrape of this process alone. */
  render(): Promise<string> {
    return this.registry.metrics();
  }

  /** All that is this process's own, or all that is the same whichever worker is asked. */
  async snapshot(part: 'own' | 'shared'): Promise<readonly MetricSnapshot[]> {
    const snapshots = this.registry.getMetricsAsArray().map(async (metric): Promise<MetricSnapshot | undefined> => {
      const gauge = this.#gauges.get(metric.name);
      if (gauge === undefined) return part === 'own' ? snapshotOf(metric) : undefined;
      const read = gauge[part];
      if (read === undefined) return undefined;
      const { name, help, across } = gauge;
      return { name, help, type: 'gauge', aggregator: across, values: [{ value: await read(), labels: {} }] };
    });
    return (await Promise.all(snapshots)).filter((snapshot) => snapshot !== undefined);
  }

  #register<Instrument>(
    description: MetricDescription,
    details: string,
    create: () => [Instrument, () => Sample[] | Promise<Sample[]>],
  ): Instrument {
    const { name, help, type, labels } = description;
    const shape = JSON.stringify([type, help, labels, details]);
    const existing = this.#registered.get(name);
    if (existing !== undefined) {
      if (existing.shape !== shape || type === 'gauge') throw new Error(`The metric ${name} is registered already`);
      return existing.instrument as Instrument;
    }
    const [instrument, collect] = create();
    const get = async (): Promise<object> => ({ name, help, type, aggregator: 'sum', values: await collect() });
    // The registry asks nothing of a metric but its name and get(); its type names prom-client's own four classes.
    this.registry.registerMetric({ name, help, type, aggregator: 'sum', get } as unknown as Metric);
    this.#registered.set(name, { ...description, shape, instrument });
    return instrument;
  }
}

function histogramSamples(name: string, histogram: Histogram, labels: Record<string, string>): Sample[] {
  let below = 0;
  const samples: Sample[] = histogram.bounds.map((le, i) => {
    below += histogram.perBucket[i] ?? 0;
    return { metricName: `${name}_bucket`, value: below, labels: { le, ...labels } };
  });
  samples.push(
    { metricName: `${name}_bucket`, value: histogram.count, labels: { le: '+Inf', ...labels } },
    { metricName: `${name}_sum`, value: histogram.sum, labels },
    { metricName: `${name}_count`, value: histogram.count, labels },
  );
  return samples;
}

function zip(labels: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(labels.map((label, i) => [label, values[i] ?? '']));
}

function key(values: readonly string[]): string {
  // Label values are printable text, so that the separator cannot be part of one.
  return values.length === 1 ? (values[0] ?? '') : values.join('\0');
}
