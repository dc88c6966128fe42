import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ATTRIBUTE, SPAN } from '../../src/telemetry/span-names';
import { AraProcess } from '../support/ara-process';
import { startRedis } from '../support/redis-server';

const ROOT = join(__dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/observability.md'), 'utf8');

/** Cells of the tables whose first cell is a name in backticks that matches. */
function rows(name: RegExp): string[][] {
  return PAGE.split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
    .filter(([first]) => name.test(first ?? ''));
}

const sorted = (lines: Iterable<string>): string[] => [...lines].sort();

describe('docs/observability.md', () => {
  it('names every metric of a running service with its type, and no other', async () => {
    // Some are there only with the feature that they speak of.
    const ara = await AraProcess.start({ RATELIMIT_ENABLED: 'true', RATELIMIT_BACKEND: 'redis' });
    const { text } = await ara.get('/metrics');
    await ara.stop();
    const running = [...text.matchAll(/^# TYPE (ara_\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    const documented = rows(/^ara_/).map(([name, type]) => `${name} ${type}`);
    expect(sorted(documented)).toEqual(sorted(running));
  });

  it('names the buckets of every histogram', async () => {
    const metrics = new Map<string, Set<string>>();
    const redis = await startRedis();
    const ara = await AraProcess.start({ QUEUE_ENABLED: 'true', QUEUE_BACKEND: 'redis', REDIS_URL: redis.url });
    await ara.get('/stats');
    const { text } = await ara.get('/metrics');
    await ara.stop();
    await redis.close();
    for (const [, name, bound] of text.matchAll(/^(ara_\w+)_bucket\{le="([\d.]+)"/gm)) {
      metrics.set(name!, (metrics.get(name!) ?? new Set()).add(bound!));
    }
    const running = [...metrics].map(([name, bounds]) => `${name}: ${[...bounds].join(', ')}`);
    const documented = [...PAGE.matchAll(/^- (`ara_.*): (.*)$/gm)].flatMap(([, names, bounds]) =>
      names!.split(', ').map((name) => `${name.replaceAll('`', '')}: ${bounds}`),
    );
    expect(sorted(documented)).toEqual(sorted(running));
  });

  it('names every span, and no other', () => {
    const documented = rows(/^(http|dispatcher|ws|sse)\.|^graceful_shutdown$/).map(([name]) => name!);
    expect(sorted(documented)).toEqual(sorted(Object.values(SPAN)));
  });

  it('names every attribute of spans, and no other', () => {
    const documented = rows(/^(http|dispatcher|ws|sse)\.|^graceful_shutdown$/).flatMap(([, attributes]) =>
      attributes!.split(', ').filter((attribute) => attribute !== ''),
    );
    expect(sorted(new Set([...documented, ATTRIBUTE.errorType]))).toEqual(sorted(Object.values(ATTRIBUTE)));
  });
});

it('loads nothing of OpenTelemetry unless tracing is on', () => {
  const offenders = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .filter((file) =>
      /^import (?!type )[^;]* from '(@opentelemetry\/|nestjs-otel)/m.test(
        readFileSync(join(ROOT, 'src', file), 'utf8'),
      ),
    );
  expect(offenders).toEqual([]);
});
