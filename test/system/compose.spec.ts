import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadConfig } from '../../src/config/load-config';
import { VERSION } from '../../src/version';
import { tool } from '../support/tools';

// What Docker Compose itself makes of the file, and whether a service would start with that.

const ROOT = resolve(__dirname, '../..');
const NODES = ['notification', 'notification-2', 'notification-3'];

interface Service {
  readonly image: string;
  readonly build?: unknown;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly host_ip?: string; readonly published: string; readonly target: number }[];
  readonly volumes?: readonly { readonly type: string; readonly source: string; readonly target: string }[];
  readonly networks?: Readonly<Record<string, unknown>>;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly user?: string;
  readonly stop_grace_period?: string;
}

interface Project {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
}

/** The project as Compose understands it, without anything of this machine's environment or its .env. */
function compose(...profiles: readonly string[]): Project {
  const options = profiles.flatMap((profile) => ['--profile', profile]);
  const output = execFileSync(
    tool('docker-compose'),
    ['--env-file', '/dev/null', '--project-directory', ROOT, ...options, 'config', '--format', 'json'],
    { cwd: ROOT, env: { PATH: process.env['PATH'] }, encoding: 'utf8' },
  );
  return JSON.parse(output) as Project;
}

const everything = compose('cluster', 'observability');
const service = (name: string): Service => everything.services[name]!;
const entries = Object.entries(everything.services);

jest.setTimeout(60_000);

describe('docker-compose.yml', () => {
  it.each([
    ['on its own', [], ['notification', 'secrets', 'redis', 'postgres']],
    ['cluster', ['cluster'], [...NODES, 'nginx', 'secrets', 'redis', 'postgres']],
    [
      'observability',
      ['observability'],
      ['notification', 'secrets', 'redis', 'postgres', 'prometheus', 'grafana', 'jaeger'],
    ],
  ])('starts what it should: %s', (_, profiles, expected) => {
    expect(Object.keys(compose(...profiles).services).sort()).toEqual(expected.toSorted());
  });

  it('runs the image of this version', () => {
    for (const name of [...NODES, 'secrets']) expect(service(name)).toMatchObject({ image: `ara:${VERSION}` });
    expect(entries.filter(([, { image }]) => !/:[v\d][\w.-]+$/.test(image))).toEqual([]);
  });

  it.each(NODES)('%s would start in production, with no mistake and no unknown name', (name) => {
    const secrets = mkdtempSync(join(tmpdir(), 'ara-secrets-'));
    spawnSync(process.execPath, [join(ROOT, 'deploy/compose/make-secrets.js'), secrets]);
    const env = Object.fromEntries(
      Object.entries(service(name).environment ?? {}).map(([key, value]) => [key, value.replace('/run/ara', secrets)]),
    );
    const { config, warnings } = loadConfig({ env, cwd: secrets });
    rmSync(secrets, { recursive: true });
    expect(warnings.filter((warning) => warning.includes('is not known'))).toEqual([]);
    expect(config).toMatchObject({
      cluster: { enabled: true, nodeId: name },
      database: { url: expect.stringMatching(/^postgres:\/\/ara:[\w-]{43}@postgres:5432\/ara$/) as unknown },
    });
    const grace = Number.parseInt(service(name).stop_grace_period ?? '0', 10);
    expect(grace).toBeGreaterThan(config.server.shutdownGraceSeconds);
  });

  it('holds no secret', () => {
    const named = entries.flatMap(([name, { environment = {} }]) =>
      Object.entries(environment)
        .filter(([key]) => /SECRET|PASSWORD|API_KEY|TOKEN|DATABASE_URL/.test(key))
        .map(([key, value]) => ({ name, key, value })),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(({ key, value }) => !key.endsWith('_FILE') || !value.startsWith('/run/ara/'))).toEqual([]);
  });

  it('publishes to this machine alone, and nothing of the stores', () => {
    const ports = entries.flatMap(([name, { ports: own = [] }]) => own.map((port) => ({ name, ...port })));
    expect(ports.filter(({ host_ip }) => host_ip !== '127.0.0.1')).toEqual([]);
    expect(new Set(ports.map(({ name }) => name))).toEqual(
      new Set(['notification', 'nginx', 'prometheus', 'grafana', 'jaeger']),
    );
    expect(ports).toContainEqual(expect.objectContaining({ name: 'notification', published: '8081', target: 8081 }));
    expect(everything.networks['stores']).toMatchObject({ internal: true });
    for (const name of ['redis', 'postgres']) expect(Object.keys(service(name).networks ?? {})).toEqual(['stores']);
  });

  it('runs Ara without rights, and waits until it is ready', () => {
    for (const name of NODES) {
      const { read_only, cap_drop, user, healthcheck } = service(name);
      expect({ read_only, cap_drop, user }).toEqual({ read_only: true, cap_drop: ['ALL'], user: undefined });
      expect(healthcheck?.test).toEqual(['CMD', 'node', 'deploy/docker/healthcheck.js', '/health/ready']);
      expect(Object.keys(service(name).depends_on ?? {}).sort()).toEqual(['postgres', 'redis', 'secrets']);
    }
  });

  it('mounts files that are there', () => {
    const binds = entries.flatMap(([, { volumes = [] }]) => volumes).filter(({ type }) => type === 'bind');
    expect(binds.length).toBeGreaterThan(4);
    expect(binds.filter(({ source }) => !existsSync(source))).toEqual([]);
  });
});

describe('what its profiles load', () => {
  it('Prometheus accepts its configuration, with the rules', () => {
    const output = execFileSync('promtool', ['check', 'config', join(ROOT, 'deploy/prometheus/prometheus.yml')]);
    expect(output.toString()).toMatch(/SUCCESS: .*prometheus\.yml.*[\s\S]*SUCCESS: \d+ rules found/);
    const { source } = service('prometheus').volumes?.find(({ target }) => target === '/etc/prometheus') ?? {};
    expect(source).toBe(join(ROOT, 'deploy/prometheus'));
  });

  it('Prometheus asks every node at its port of metrics', () => {
    const text = readFileSync(join(ROOT, 'deploy/prometheus/prometheus.yml'), 'utf8');
    for (const name of NODES) expect(text).toContain(name);
    expect(text.match(/9464/g)).toHaveLength(3);
    for (const name of NODES) expect(service(name).environment).toMatchObject({ METRICS_PORT: '9464' });
  });

  it('Grafana finds the dashboard where its provider looks', () => {
    const provider = readFileSync(join(ROOT, 'deploy/grafana/provisioning/dashboards/ara.yml'), 'utf8');
    const targets = (service('grafana').volumes ?? []).map(({ target }) => target);
    expect(provider).toContain('path: /etc/grafana/dashboards\n');
    expect(targets).toContain('/etc/grafana/dashboards/ara-dashboard.json');
    expect(targets).toContain('/etc/grafana/provisioning');
  });
});
