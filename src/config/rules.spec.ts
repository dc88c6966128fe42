import { ConfigurationError } from './configuration-error';
import { loadConfig } from './load-config';

const SECRET = '8f1b6c0de2a94735b1c7f0a35e9d2468';
const KEY = '3c9e5a7f1b2d4860';
const PRODUCTION = { RUN_MODE: 'production', JWT_SECRET: SECRET, API_KEY: KEY };
const DEVELOPMENT = { JWT_SECRET: SECRET, API_KEY: KEY };

/** The mistakes as `VARIABLE: problem`, and the warnings. */
function check(env: Record<string, string>): { mistakes: string[]; warnings: readonly string[] } {
  try {
    return { mistakes: [], warnings: loadConfig({ env, cwd: '/nowhere' }).warnings };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return {
      mistakes: error.mistakes.map(({ variable, problem }) => `${variable}: ${problem}`),
      warnings: error.warnings,
    };
  }
}

describe('what a start refuses', () => {
  it.each<[string, Record<string, string>, string]>([
    ['no JWT secret', { API_KEY: KEY }, 'JWT_SECRET: it is required'],
    ['HS256 without a secret', { JWT_ALGORITHM: 'HS256' }, 'JWT_SECRET: it is required'],
    [
      'a connection timeout within the heartbeat',
      { ...DEVELOPMENT, WEBSOCKET_CONNECTION_TIMEOUT: '30' },
      'WEBSOCKET_CONNECTION_TIMEOUT: 30 is not more than WEBSOCKET_HEARTBEAT_INTERVAL (30)',
    ],
    [
      'sessions that end between two heartbeats',
      { ...DEVELOPMENT, CLUSTER_ENABLED: '1', WEBSOCKET_HEARTBEAT_INTERVAL: '60' },
      'CLUSTER_SESSION_TTL_SECONDS: 60 is not more than WEBSOCKET_HEARTBEAT_INTERVAL (60)',
    ],
    [
      'a backoff that shrinks',
      { ...DEVELOPMENT, REDIS_BACKOFF_MAX_DELAY_MS: '99' },
      'REDIS_BACKOFF_MAX_DELAY_MS: 99 is less than REDIS_BACKOFF_INITIAL_DELAY_MS (100)',
    ],
    [
      'two servers on one port',
      { ...DEVELOPMENT, METRICS_PORT: '8081' },
      'METRICS_PORT: it is the same port as SERVER_PORT',
    ],
    [
      'workers without a bus',
      { ...DEVELOPMENT, WORKERS: '2' },
      'WORKERS: more than one process needs the bus of a cluster',
    ],
    [
      'workers with the local session store',
      { ...DEVELOPMENT, WORKERS: '2', CLUSTER_ENABLED: '1', CLUSTER_SESSION_STORE: 'local' },
      'WORKERS: more than one process needs the bus of a cluster',
    ],
    [
      'workers that each limit rates in their own memory',
      { ...DEVELOPMENT, WORKERS: '2', CLUSTER_ENABLED: '1', RATELIMIT_ENABLED: '1' },
      'RATELIMIT_BACKEND: 2 workers cannot count together in the memory of each',
    ],
    [
      'a queue in memory in a cluster',
      { ...DEVELOPMENT, CLUSTER_ENABLED: '1', QUEUE_ENABLED: '1' },
      'QUEUE_BACKEND: the nodes of a cluster cannot share memory',
    ],
    [
      'acknowledgements in memory in a cluster',
      { ...DEVELOPMENT, CLUSTER_ENABLED: '1', ACK_ENABLED: '1' },
      'ACK_BACKEND: the nodes of a cluster cannot share memory',
    ],
    [
      'templates in memory in a cluster',
      { ...DEVELOPMENT, CLUSTER_ENABLED: '1', TEMPLATE_BACKEND: 'memory' },
      'TEMPLATE_BACKEND: the nodes of a cluster cannot share memory',
    ],
    [
      'an embedded database in a cluster',
      { ...DEVELOPMENT, CLUSTER_ENABLED: '1', TEMPLATE_BACKEND: 'postgres', DATABASE_URL: 'embedded:data' },
      'TEMPLATE_BACKEND: the nodes of a cluster cannot share an embedded database',
    ],
    [
      'a hop count beside networks',
      { ...DEVELOPMENT, TRUST_PROXY: '1, 10.0.0.0/8' },
      'TRUST_PROXY: a number, true or false stands alone',
    ],
    [
      'a key that is also the JWT secret',
      { JWT_SECRET: SECRET, API_KEY: SECRET },
      'JWT_SECRET: it is the same text as API_KEY',
    ],
    [
      "a tenant's key that is a general one",
      { ...DEVELOPMENT, TENANT_ENABLED: '1', TENANT_ACME_API_KEY: KEY },
      'TENANT_ACME_API_KEY: it is the same text as API_KEY',
    ],
    [
      "a tenant's key that is the previous general one",
      { ...DEVELOPMENT, API_KEY_PREVIOUS: `${KEY}0`, TENANT_ACME_API_KEY: `${KEY}0` },
      'TENANT_ACME_API_KEY: it is the same text as API_KEY_PREVIOUS',
    ],
    [
      'a token for the metrics that is also an API key',
      { ...DEVELOPMENT, METRICS_TOKEN: KEY },
      'METRICS_TOKEN: it is the same text as API_KEY',
    ],
    [
      'one key for two tenants',
      { ...DEVELOPMENT, TENANT_ACME_API_KEY: `${KEY}1`, TENANT_GLOBEX_API_KEY: `${KEY}1` },
      'TENANT_GLOBEX_API_KEY: it is the same text as TENANT_ACME_API_KEY',
    ],
    ['RS256 without a key', { JWT_ALGORITHM: 'RS256' }, 'JWT_PUBLICKEY: it is required with JWT_ALGORITHM=RS256'],
    [
      'a key file that is not there',
      { JWT_ALGORITHM: 'RS256', JWT_PUBLICKEY: 'none.pem' },
      'JWT_PUBLICKEY: the file cannot be read (ENOENT)',
    ],
    [
      'a key file without a key',
      { JWT_ALGORITHM: 'RS256', JWT_PUBLICKEY: __filename },
      'JWT_PUBLICKEY: the file holds no key in PEM form',
    ],
  ])('%s', (_, env, mistake) => {
    expect(check(env).mistakes).toEqual([mistake]);
  });

  it('a cluster without any secret for its messages', () => {
    const env = { JWT_ALGORITHM: 'ES256', JWT_PUBLICKEY: 'none.pem', CLUSTER_ENABLED: '1' };
    expect(check(env).mistakes).toContain('CLUSTER_SECRET: it is required in a cluster without JWT_SECRET');
  });
});

describe('what only production refuses', () => {
  it.each<[string, Record<string, string>, string]>([
    ['no API key', { API_KEY: '' }, 'API_KEY: it is required in production'],
    [
      'a short API key',
      { API_KEY: ' your-api-key'.trim() },
      'API_KEY: it has fewer than 16 characters, which production refuses',
    ],
    [
      'a sample for a key',
      { API_KEY: 'your-api-key-for-http-endpoints' },
      'API_KEY: it looks like a sample, which production refuses',
    ],
    [
      'a sample for a secret',
      { JWT_SECRET: 'your-secure-secret-key-at-least-32-characters' },
      'JWT_SECRET: it looks like a sample, which production refuses',
    ],
    [
      'one letter for a secret',
      { JWT_SECRET: 'x'.repeat(40) },
      'JWT_SECRET: it repeats few characters, which production refuses',
    ],
    [
      'a word over and over for a secret',
      { JWT_SECRET: 'swordfish'.repeat(4) },
      'JWT_SECRET: it repeats itself, which production refuses',
    ],
    [
      'a weak previous secret',
      { JWT_SECRET_PREVIOUS: 'changeme-changeme-changeme-changeme' },
      'JWT_SECRET_PREVIOUS: it looks like a sample, which production refuses',
    ],
    [
      'a short previous key',
      { API_KEY_PREVIOUS: 'a1b2c3d4' },
      'API_KEY_PREVIOUS: it has fewer than 16 characters, which production refuses',
    ],
    [
      "a short tenant's key",
      { TENANT_ENABLED: '1', TENANT_ACME_API_KEY: 'a1b2c3d4' },
      'TENANT_ACME_API_KEY: it has fewer than 16 characters, which production refuses',
    ],
    [
      'a sample for the cluster secret',
      { CLUSTER_SECRET: 'example-cluster-secret' },
      'CLUSTER_SECRET: it looks like a sample, which production refuses',
    ],
    [
      'a short token for the metrics',
      { METRICS_TOKEN: 'a1b2c3d4' },
      'METRICS_TOKEN: it has fewer than 16 characters, which production refuses',
    ],
    ...['true', '0.0.0.0/0', '10.0.0.1, ::/0'].map((proxies): [string, Record<string, string>, string] => [
      `TRUST_PROXY=${proxies}`,
      { TRUST_PROXY: proxies },
      'TRUST_PROXY: it trusts everybody, so any client may forge its address, which production refuses',
    ]),
  ])('%s; development warns', (_, env, mistake) => {
    expect(check({ ...PRODUCTION, ...env }).mistakes).toEqual([mistake]);
    const development = check({ ...DEVELOPMENT, ...env });
    expect(development.mistakes).toEqual([]);
    expect(development.warnings.join('\n')).toMatch(/which production would refuse|No API key is set/);
  });

  it('everything weak at once', () => {
    const env = {
      RUN_MODE: 'prod',
      JWT_SECRET: 'your-production-secret',
      API_KEY: 'your-api-key',
      TRUST_PROXY: 'true',
    };
    expect(check(env).mistakes.map((mistake) => mistake.split(':', 1)[0])).toEqual([
      'JWT_SECRET',
      'API_KEY',
      'TRUST_PROXY',
    ]);
  });
});

describe('what a start accepts', () => {
  const standard = {
    ...PRODUCTION,
    REDIS_URL: 'redis://redis:6379',
    QUEUE_ENABLED: 'true',
    RATELIMIT_ENABLED: 'true',
    ACK_ENABLED: 'true',
  };
  const enterprise = {
    ...PRODUCTION,
    CORS_ORIGINS: 'https://app.example.com',
    TENANT_ENABLED: 'true',
    TENANT_DEFAULT_MAX_CONNECTIONS: '5000',
    CLUSTER_ENABLED: 'true',
    CLUSTER_SESSION_STORE: 'redis',
    QUEUE_ENABLED: 'true',
    QUEUE_BACKEND: 'postgres',
    ACK_ENABLED: 'true',
    ACK_BACKEND: 'postgres',
    DATABASE_URL: 'postgres://user:pass@db/ara',
    RATELIMIT_ENABLED: 'true',
    RATELIMIT_BACKEND: 'redis',
    OTEL_ENABLED: 'true',
    OTEL_ENDPOINT: 'http://otel-collector:4317',
  };

  it('a plain production, with warnings where it deserves them', () => {
    const { mistakes, warnings } = check(standard);
    expect(mistakes).toEqual([]);
    expect(warnings).toEqual([
      expect.stringContaining('CORS_ORIGINS is empty'),
      expect.stringContaining('TRUST_PROXY is empty: behind a proxy'),
      expect.stringContaining('SSE_AUTO_SUBSCRIBE is on'),
      expect.stringContaining('QUEUE_BACKEND=memory'),
    ]);
  });

  it('a production with tenants, cluster and databases', () => {
    expect(check(enterprise)).toEqual({
      mistakes: [],
      warnings: [
        expect.stringContaining('TRUST_PROXY is empty: behind a proxy'),
        expect.stringContaining('SSE_AUTO_SUBSCRIBE is on'),
        'DATABASE_URL: its password would be guessed: it has fewer than 8 characters.',
      ],
    });
  });

  it('what tokens of public keys need no secret for', () => {
    const { mistakes } = check({ JWT_ALGORITHM: 'RS256', JWT_PUBLICKEY: 'none.pem' });
    expect(mistakes.join()).not.toContain('JWT_SECRET');
  });

  it('a memory queue and acknowledgements in a cluster while they are off', () => {
    expect(check({ ...DEVELOPMENT, CLUSTER_ENABLED: '1' }).mistakes).toEqual([]);
  });

  it('the sample of the user guide, in development', () => {
    const env = {
      JWT_SECRET: 'your-secure-secret-key-at-least-32-characters',
      REDIS_URL: 'redis://localhost:6379',
      API_KEY: 'your-api-key-for-http-endpoints',
    };
    expect(check(env).mistakes).toEqual([]);
  });
});

describe('what a start warns of', () => {
  it('nothing, if nothing deserves it', () => {
    expect(
      check({ ...PRODUCTION, SSE_AUTO_SUBSCRIBE: 'false', CORS_ORIGINS: 'https://app.example.com' }).warnings,
    ).toEqual([]);
  });

  it.each<[Record<string, string>, string]>([
    [{ API_KEY: '' }, 'No API key is set'],
    [{ SSE_AUTO_SUBSCRIBE: 'true' }, 'SSE_AUTO_SUBSCRIBE is on'],
    [{ CLUSTER_ENABLED: '1', RATELIMIT_ENABLED: '1' }, 'RATELIMIT_BACKEND=local'],
    [{ CLUSTER_ENABLED: '1', CLUSTER_SESSION_STORE: 'local' }, 'CLUSTER_SESSION_STORE=local'],
    [{ WEBSOCKET_MAX_CONNECTIONS: '4' }, 'WEBSOCKET_MAX_CONNECTIONS_PER_USER: 5 for one user can never be reached'],
    [{ TENANT_DEFAULT_MAX_CONNECTIONS: '4' }, 'TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER: 5'],
    [{ TENANT_ENABLED: '1', TENANT_ACME_MAX_CONNECTIONS: '4' }, 'Tenant acme: 5'],
    [{ TENANT_ENABLED: '1', WEBSOCKET_MAX_CONNECTIONS: '999' }, 'TENANT_DEFAULT_MAX_CONNECTIONS: 1000 for one tenant'],
    [{ TENANT_ENABLED: '1', TENANT_ACME_MAX_CONNECTIONS: '10001' }, 'Tenant acme: 10001 for one tenant can never'],
    [{ RATELIMIT_HTTP_BURST_SIZE: '99' }, 'RATELIMIT_HTTP_BURST_SIZE is below'],
    [{ JWT_PUBLICKEY: 'x' }, 'JWT_PUBLICKEY has no effect'],
    [{ JWT_SECRET_PREVIOUS: SECRET }, 'JWT_SECRET_PREVIOUS is the same'],
    [{ API_KEY_PREVIOUS: KEY }, 'API_KEY_PREVIOUS is the same'],
    [{ TENANT_ACME_MAX_CONNECTIONS: '4' }, 'Single tenants are configured, but TENANT_ENABLED is off'],
    [{ QUEUE_REDIS_WAIT: '1' }, 'QUEUE_REDIS_WAIT has no effect with QUEUE_BACKEND=memory'],
    [{ RUST_LOG: 'verbose' }, 'RUST_LOG says nothing'],
  ])('%j', (env, warning) => {
    expect(check({ ...DEVELOPMENT, SSE_AUTO_SUBSCRIBE: 'false', ...env }).warnings).toContainEqual(
      expect.stringContaining(warning),
    );
    expect(check({ ...DEVELOPMENT, SSE_AUTO_SUBSCRIBE: 'false' }).warnings).toEqual([]);
  });
});

describe('passwords on the way to stores', () => {
  const CALM = { ...PRODUCTION, SSE_AUTO_SUBSCRIBE: 'false', CORS_ORIGINS: 'https://app.example.com' };

  it.each([
    ['REDIS_URL', 'redis://:changeme-now@redis:6379'],
    ['REDIS_URL', 'redis+sentinel://ara:pw@a:26379,b:26379/mymaster?db=0'],
    ['DATABASE_URL', 'postgres://ara:password@db/ara'],
  ])('production warns of %s=%s, without showing it', (variable, value) => {
    const { mistakes, warnings } = check({ ...CALM, [variable]: value });
    expect(mistakes).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^${variable}: its password would be guessed`))]);
    expect(warnings.join()).not.toMatch(/changeme|:pw|ara:/);
    expect(check({ ...DEVELOPMENT, SSE_AUTO_SUBSCRIBE: 'false', [variable]: value }).warnings).toEqual([]);
  });

  it.each([
    ['REDIS_URL', 'rediss://redis.internal:6379'],
    ['REDIS_URL', 'redis://ara:8f1b6c0de2a94735@redis:6379/0'],
    ['DATABASE_URL', 'postgres://ara:8f1b6c0de2a94735@db/ara'],
    ['DATABASE_URL', 'postgres://ara@db/ara'],
    ['DATABASE_URL', 'embedded:data'],
  ])('and is silent about %s=%s', (variable, value) => {
    expect(check({ ...CALM, [variable]: value }).warnings).toEqual([]);
  });
});
