import type { AraProcess } from './ara-process';

/** One line of a scrape. */
export interface Sample {
  /** Of the metric; a histogram's samples lose `_bucket`, `_sum`, `_count`. */
  readonly metric: string;
  /** As it stands in the line: name and labels. */
  readonly series: string;
  readonly value: number;
}

/** What one service shows now, its own metrics only. */
export async function scrape(ara: AraProcess): Promise<Sample[]> {
  const { text } = await ara.get('/metrics');
  const histograms = new Set([...text.matchAll(/^# TYPE (ara_\w+) histogram$/gm)].map(([, name]) => name));
  return [...text.matchAll(/^((ara_\w+?)(_bucket|_sum|_count)?(?:\{.*\})?) (\S+)$/gm)].map(
    ([, series, base, suffix = '', value]) => ({
      metric: histograms.has(base) ? base! : `${base!}${suffix}`,
      series: series!,
      value: Number(value),
    }),
  );
}

/** Collects over scrapes which series have ever been different from 0. */
export class Movements {
  readonly metrics = new Set<string>();
  readonly series = new Set<string>();
  readonly #moved = new Set<string>();

  async look(...services: readonly AraProcess[]): Promise<void> {
    for (const ara of services) {
      for (const { metric, series, value } of await scrape(ara)) {
        this.metrics.add(metric);
        this.series.add(series);
        if (value !== 0) this.#moved.add(metric).add(series);
      }
    }
  }

  /** By the name of a metric, or of a series with its labels. */
  has(name: string): boolean {
    return this.#moved.has(name);
  }
}
