import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AraProcess } from '../support/ara-process';
import { freePort } from '../support/free-port';
import { DASHBOARD_QUERIES, DEPLOY } from '../support/operator-files';
import { type RedisServer, startRedis } from '../support/redis-server';
import { until } from '../support/until';

// A real Prometheus reads a real service: what the documents, the dashboard and the alerts ask is answered.

const ALERTS = join(DEPLOY, 'prometheus/alerts.yml');
const METRICS_TOKEN = 'a-token-for-the-metrics-of-the-tests';
const content = { event_type: 'order.created', payload: { n: 1 } };

interface Rule {
  readonly name: string;
  readonly query: string;
  readonly health: string;
  readonly lastError?: string;
}

describe('promtool', () => {
  it.each([
    ['accepts the rules', ['check', 'rules', ALERTS]],
    [
      'sees each alert fire when it should, and only then',
      ['test', 'rules', join(DEPLOY, 'prometheus/alerts.test.yml')],
    ],
  ])('%s', (_, args) => {
    expect(execFileSync('promtool', args).toString()).toContain('SUCCESS');
  });
});

describe('a Prometheus', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ara-prometheus-'));
  let redis: RedisServer;
  let ara: AraProcess;
  let prometheus: ChildProcess;
  let url: string;
  let log = '';

  async function api<T>(path: string): Promise<T> {
    const answer = (await (await fetch(`${url}/api/v1/${path}`)).json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }

  /** The values of an instant query. */
  async function query(expression: string): Promise<number[]> {
    const { result } = await api<{ result: readonly { value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(expression)}`,
    );
    return result.map(({ value }) => Number(value[1]));
  }

  beforeAll(async () => {
    redis = await startRedis();
    ara = await AraProcess.start({
      REDIS_URL: redis.url,
      ACK_ENABLED: 'true',
      QUEUE_ENABLED: 'true',
      METRICS_TOKEN,
    });
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    writeFileSync(
      join(folder, 'prometheus.yml'),
      `global: { scrape_interval: 500ms, evaluation_interval: 500ms }
rule_files: ['${ALERTS}']
scrape_configs:
  - job_name: ara
    authorization: { credentials: '${METRICS_TOKEN}' }
    static_configs: [{ targets: ['${ara.url.replace('http://', '')}'] }]
`,
    );
    prometheus = spawn(
      'prometheus',
      [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    prometheus.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await until(`it scrapes: ${log}`, async () => (await query('up{job="ara"} == 1')).length === 1, 20_000);

    const alice = await ara.ws('alice');
    // Twice, because a rate needs two scrapes of a series, and those of a route begin with its first request.
    for (const seen of [20, 40]) {
      for (let n = 0; n < 20; n++) {
        await ara.post('/api/v1/notifications/send', { target_user_id: 'alice', ...content });
        alice.send({ type: 'Ack', payload: { notification_id: (await alice.notification())['id'] } });
        await alice.next('acked');
      }
      await until('it has seen that', async () => (await query('ara_ack_received_total'))[0] === seen, 20_000);
    }
  }, 60_000);

  afterAll(async () => {
    const ended = new Promise((resolve) => prometheus.once('exit', resolve));
    prometheus.kill();
    await Promise.all([ended, ara.stop(), redis.close()]);
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['ara_connections_total', (value: number) => value === 1],
    ['rate(ara_messages_delivered_total[5m])', (value: number) => value > 0],
    ['ara_ack_received_total / ara_ack_tracked_total', (value: number) => value === 1],
    ['ara_redis_connection_status', (value: number) => value === 1],
    [
      'histogram_quantile(0.95, sum by (le, path) (rate(ara_http_request_latency_seconds_bucket{path=~".*/send"}[5m])))',
      (value: number) => value > 0,
    ],
  ])('answers %s', async (expression, isRight) => {
    const values = await until(`${expression} has a value`, async () => {
      const found = await query(expression);
      return found.length > 0 && found.every(isRight) && found;
    });
    expect(values).toHaveLength(1);
  });

  it('answers everything that the dashboard asks', async () => {
    expect(DASHBOARD_QUERIES.length).toBeGreaterThan(50);
    const failures: string[] = [];
    for (const expression of DASHBOARD_QUERIES) {
      await query(expression).catch((error: unknown) => failures.push(String(error)));
    }
    expect(failures).toEqual([]);
  });

  it('evaluates every alert, and none is raised', async () => {
    const rules = await until('all have been evaluated', async () => {
      const { groups } = await api<{ groups: readonly { rules: readonly Rule[] }[] }>('rules');
      const found = groups.flatMap((group) => group.rules);
      return found.length > 0 && found.every(({ health }) => health !== 'unknown') && found;
    });
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    expect(await query('ALERTS')).toEqual([]);
  });

  it('finds nothing wrong with the format of the metrics', async () => {
    const { text } = await ara.get('/metrics', { authorization: `Bearer ${METRICS_TOKEN}` });
    // Names that the service's clients know, whatever promtool thinks of them.
    const accepted =
      /^ara_((cluster_)?(connections|users)|queue_(size|users))_total non-counter|^ara_heartbeat_duration_ms .*abbreviated/;
    expect(lint(text).filter((line) => !accepted.test(line))).toEqual([]);
  });
});

/** What `promtool check metrics` says of a scrape, less what it says of the metrics of Node.js. */
function lint(text: string): string[] {
  try {
    execFileSync('promtool', ['check', 'metrics'], { input: text, stdio: ['pipe', 'pipe', 'pipe'] });
    return [];
  } catch (error) {
    const { stderr = '' } = error as { stderr?: Buffer | string };
    return stderr
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('ara_'));
  }
}
