import type { Workers } from '../workers/workers';
import type { Metrics } from './metrics';
import { METRICS, rendered } from './metrics-snapshot';

/** The text of a scrape, whoever's metrics it shows. */
export interface Scrape {
  readonly contentType: string;
  render(): Promise<string>;
}

/** The metrics of all workers together, whichever of them is asked. */
export class WholeMetrics implements Scrape {
  constructor(
    private readonly metrics: Metrics,
    private readonly workers: Workers,
  ) {
    workers.onAsk(METRICS, () => metrics.snapshot('own'));
  }

  get contentType(): string {
    return this.metrics.contentType;
  }

  async render(): Promise<string> {
    const [own, shared] = await Promise.all([this.workers.gather(METRICS, null), this.metrics.snapshot('shared')]);
    return rendered([...own, shared]);
  }
}
