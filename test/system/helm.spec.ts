import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type LoadedConfig } from '../../src/config/load-config';
import { VERSION } from '../../src/version';
import { CHART, type KubernetesObject, type Rendered, renderChart } from '../support/chart';

// The chart, linted and rendered by Helm's own engine; what comes out checked against the schemas of Kubernetes, and
// read by Ara.

const PRODUCTION = join(CHART, 'ci/production-values.yaml');
const URLS: Readonly<Record<string, string>> = {
  'redis-url': 'redis://:secret@redis:6379',
  'database-url': 'postgres://ara:secret@postgres/ara',
};

interface Probe {
  readonly httpGet: { readonly path: string };
}

interface Container {
  readonly image: string;
  readonly env: readonly { readonly name: string }[];
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

interface Deployment {
  readonly replicas?: number;
  readonly template: {
    readonly spec: {
      readonly terminationGracePeriodSeconds: number;
      readonly containers: readonly [Container];
      readonly volumes: readonly {
        readonly name: string;
        readonly secret?: { readonly items: readonly { readonly path: string }[] };
      }[];
    };
  };
}

const kinds = ({ objects }: Rendered): string[] => objects.map(({ kind }) => kind).sort();
const find = ({ objects }: Rendered, kind: string): KubernetesObject => objects.find((one) => one.kind === kind)!;
const deployment = (rendered: Rendered): Deployment['template']['spec'] & Deployment => {
  const spec = find(rendered, 'Deployment').spec as Deployment;
  return { ...spec, ...spec.template.spec };
};

/** What Ara reads in such a pod: the settings, and the mounted secrets. Throws at any mistake. */
function configOf(rendered: Rendered): LoadedConfig {
  const folder = mkdtempSync(join(tmpdir(), 'ara-pod-'));
  try {
    mkdirSync(join(folder, 'secrets'));
    const volume = deployment(rendered).volumes.find(({ name }) => name === 'secrets');
    for (const { path } of volume?.secret?.items ?? [])
      writeFileSync(join(folder, 'secrets', path), URLS[path] ?? `${path}-Fq8Zr2LxVn5Wd7TbKj3Mh9Pc`);
    const env = Object.fromEntries(
      Object.entries(find(rendered, 'ConfigMap').data ?? {}).map(([name, value]) => [
        name,
        value.replace('/run/secrets/ara', join(folder, 'secrets')),
      ]),
    );
    return loadConfig({ env: { ...env, CLUSTER_NODE_ID: 'demo-ara-6d4cf56db6-x7k2p' }, cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

jest.setTimeout(60_000);

describe.each(readdirSync(join(CHART, 'ci')))('with %s', (file) => {
  const values = join(CHART, 'ci', file);

  it('lints, and Kubernetes knows every field, old and new', () => {
    const { lint, problems, objects } = renderChart(values, ['1.27', '1.34', '1.37']);
    expect(lint.filter(({ severity }) => severity > 1)).toEqual([]);
    expect(problems).toEqual([]);
    expect(objects.length).toBeGreaterThan(5);
  });

  it('starts Ara, with no mistake and no unknown name', () => {
    const { config, warnings } = configOf(renderChart(values));
    expect(config.queue.ttlSeconds).toBe(2_592_000);
    expect(warnings.filter((warning) => warning.includes('is not known'))).toEqual([]);
  });
});

describe('one pod', () => {
  const rendered = renderChart();

  it('is what comes without any value', () => {
    expect(kinds(rendered)).toEqual([
      'ConfigMap',
      'Deployment',
      'Pod',
      'Secret',
      'Service',
      'Service',
      'ServiceAccount',
    ]);
    expect(deployment(rendered)).toMatchObject({ replicas: 1, containers: [{ image: `ara:${VERSION}` }] });
    expect(configOf(rendered).config).toMatchObject({ server: { docsEnabled: false }, cluster: { enabled: false } });
  });

  it('gets secrets of its own, each time others', () => {
    const secrets = [rendered, renderChart()].map((one) => Object.values(find(one, 'Secret').data ?? {}));
    expect(new Set(secrets.flat()).size).toBe(4);
    for (const secret of secrets.flat()) expect(Buffer.from(secret, 'base64').toString()).toMatch(/^[a-zA-Z\d]{48}$/);
    expect(JSON.stringify(deployment(rendered))).not.toContain(Buffer.from(secrets[0]![0]!, 'base64').toString());
  });

  it('is asked what the probes should ask', () => {
    const [container] = deployment(rendered).containers;
    expect(container.startupProbe.httpGet.path).toBe('/health/live');
    expect(container.livenessProbe.httpGet.path).toBe('/health/live');
    expect(container.readinessProbe.httpGet.path).toBe('/health/ready');
  });
});

describe('several pods', () => {
  const rendered = renderChart(PRODUCTION);

  it('come with all that belongs to them', () => {
    expect(kinds(rendered)).toEqual([
      'ConfigMap',
      'Deployment',
      'HTTPRoute',
      'HorizontalPodAutoscaler',
      'Ingress',
      'NetworkPolicy',
      'Pod',
      'PodDisruptionBudget',
      'Service',
      'Service',
      'ServiceAccount',
      'ServiceMonitor',
    ]);
    expect(deployment(rendered).replicas).toBeUndefined();
  });

  it('read their secrets from files', () => {
    const { config } = configOf(rendered);
    expect(config).toMatchObject({
      redis: { url: URLS['redis-url'] },
      database: { url: URLS['database-url'] },
      cluster: { enabled: true, nodeId: 'demo-ara-6d4cf56db6-x7k2p' },
      server: { trustProxy: 1 },
    });
    expect(JSON.stringify(rendered.objects)).not.toContain('secret@');
  });

  it('have longer to end than Ara takes at most', () => {
    const { containers, terminationGracePeriodSeconds } = deployment(rendered);
    const pause = Number(containers[0].lifecycle?.preStop.exec.command.at(-1));
    const { shutdownGraceSeconds } = configOf(rendered).config.server;
    expect(shutdownGraceSeconds).toBe(40);
    expect(terminationGracePeriodSeconds).toBeGreaterThan(pause + shutdownGraceSeconds);
  });

  it('are reached by streams that nothing cuts or buffers', () => {
    expect(find(rendered, 'Ingress').metadata.annotations).toMatchObject({
      'nginx.ingress.kubernetes.io/proxy-read-timeout': '3600',
      'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
      'nginx.org/websocket-services': 'demo-ara',
    });
    expect(find(rendered, 'HTTPRoute').spec).toMatchObject({ rules: [{ timeouts: { request: '0s' } }] });
    expect(rendered.notes).toContain('wss://ara.example.com/ws');
    expect(rendered.notes).not.toContain('WARNING');
  });
});

it('the schemas would refuse a field that is none', () => {
  const values = { securityContext: { readOnlyRootFileSystem: true } };
  expect(renderChart(values, ['1.34']).problems.join()).toContain('readOnlyRootFileSystem');
});

it.each([
  ['several pods without a cluster', { replicaCount: 2 }, /needs cluster\.enabled/],
  ['a cluster without Redis', { cluster: { enabled: true } }, /needs REDIS_URL/],
  ['a secret among the settings', { config: { JWT_SECRET: 'x' } }, /JWT_SECRET/],
  ['a setting of the chart itself', { config: { SERVER_PORT: 80 } }, /sets it itself/],
  ['a value with a slip of the pen', { replicacount: 2 }, /replicacount/],
  ['a route without a gateway', { httpRoute: { enabled: true } }, /parentRefs/],
])('refuses %s', (_, values, message) => {
  expect(() => renderChart(values)).toThrow(message);
});
