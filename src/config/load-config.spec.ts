import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigurationError } from './configuration-error';
import { VARIABLES } from './environment';
import { loadConfig } from './load-config';
import type { LoadedConfig } from './load-config';

const SECRET = '8f1b6c0de2a94735b1c7f0a35e9d2468';
const KEY = '3c9e5a7f1b2d4860';

describe('loadConfig', () => {
  let cwd: string;

  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'ara-config-'));
  });

  afterEach(() => {
    rmSync(cwd, { recursive: true });
  });

  function write(file: string, text: string): string {
    mkdirSync(dirname(join(cwd, file)), { recursive: true });
    writeFileSync(join(cwd, file), text);
    return join(cwd, file);
  }

  function load(env: Record<string, string> = {}): LoadedConfig {
    return loadConfig({ env: { JWT_SECRET: SECRET, API_KEY: KEY, ...env }, cwd });
  }

  function failure(env: Record<string, string>): ConfigurationError {
    try {
      loadConfig({ env, cwd });
    } catch (error) {
      if (error instanceof ConfigurationError) return error;
      throw error;
    }
    throw new Error('The configuration was accepted.');
  }

  describe('the sources', () => {
    it('needs nothing but a secret', () => {
      const { config } = loadConfig({ env: { JWT_SECRET: SECRET }, cwd });
      expect(config.server.port).toBe(8081);
      expect(config.production).toBe(false);
      expect(config.queue.enabled).toBe(false);
    });

    it('lets the environment win over .env, over the file of the mode, over the default file, over the defaults', () => {
      write(
        'config/default.toml',
        '[server]\nport = 1001\n[queue]\nmax_size_per_user = 1001\nmessage_ttl_seconds = 1001\n',
      );
      write('config/staging.toml', '[server]\nport = 1002\n[queue]\nmax_size_per_user = 1002\n');
      write('.env', 'RUN_MODE=staging\nSERVER_PORT=1003\nQUEUE_CLEANUP_INTERVAL_SECONDS=1003\n');
      const { config } = load({ SERVER_PORT: '1004' });
      expect(config.server.port).toBe(1004);
      expect(config.queue.cleanupSeconds).toBe(1003);
      expect(config.queue.maxSizePerUser).toBe(1002);
      expect(config.queue.ttlSeconds).toBe(1001);
      expect(config.queue.maxDeliveries).toBe(5);
    });

    it('lets a source of higher precedence win even by an alias', () => {
      write('config/default.toml', '[queue]\nredis_key_prefix = "file:"\n');
      expect(load({ QUEUE_REDIS_PREFIX: 'environment' }).config.queue.redisPrefix).toBe('environment');
    });

    it('takes an empty value as not set', () => {
      write('.env', 'SERVER_PORT=9000\n');
      expect(load({ SERVER_PORT: '', QUEUE_ENABLED: ' ', METRICS_PORT: '' }).config.server.port).toBe(9000);
    });

    it.each(['production', 'PRODUCTION', 'prod'])(
      'RUN_MODE=%s is production and reads config/production.toml',
      (mode) => {
        write('config/production.toml', '[server]\nport = 1234\n');
        const { config } = load({ RUN_MODE: mode });
        expect(config).toMatchObject({ production: true, server: { port: 1234 } });
      },
    );

    it('reads the file that the mode names literally, if there is one', () => {
      write('config/production.toml', '[server]\nport = 1234\n');
      write('config/prod.toml', '[server]\nport = 4321\n');
      expect(load({ RUN_MODE: 'prod' }).config.server.port).toBe(4321);
    });

    it('does not follow a mode out of the folder', () => {
      write('secret.toml', '[server]\nport = 1\n');
      expect(failure({ JWT_SECRET: SECRET, RUN_MODE: '../secret' }).mistakes).toMatchObject([{ variable: 'RUN_MODE' }]);
    });

    it('warns of a mode that may be a slip of the pen', () => {
      expect(load({ RUN_MODE: 'producton' }).warnings.join()).toContain('RUN_MODE=producton is treated as development');
    });

    it('takes TOML names by table, also nested, and the variables without a table under [server]', () => {
      write(
        'config/default.toml',
        `[server]
         cors_origins = "https://a.example.org,https://b.example.org"
         trust_proxy = ["10.0.0.0/8", "192.168.0.1"]
         workers = 1
         [redis.circuit_breaker]
         failure_threshold = 9
         [rate_limit]
         enabled = true
         [ratelimit]
         http_burst_size = 300
         [otel]
         sampling_ratio = 0.25`,
      );
      const { config, warnings } = load();
      expect(config.server.corsOrigins).toEqual(['https://a.example.org', 'https://b.example.org']);
      expect(config.server.trustProxy).toEqual(['10.0.0.0/8', '192.168.0.1']);
      expect(config.redis.breakerFailureThreshold).toBe(9);
      expect(config.rateLimit).toMatchObject({ enabled: true, httpBurst: 300 });
      expect(config.telemetry.otelSamplingRatio).toBe(0.25);
      expect(warnings.filter((text) => text.includes('not known'))).toEqual([]);
    });

    it('reports a TOML file that is broken, without its text, beside the other mistakes', () => {
      write('config/default.toml', `[jwt]\nsecret = "${SECRET}\n`);
      const error = failure({ SERVER_PORT: 'x', JWT_SECRET: SECRET });
      expect(error.mistakes.map(({ variable }) => variable)).toEqual(['config/default.toml', 'SERVER_PORT']);
      expect(error.message).toContain('not valid TOML, near line 2');
      expect(error.message).not.toContain(SECRET);
    });

    it('does not let a file set the mode that chooses the file', () => {
      write('config/default.toml', 'run_mode = "production"\n');
      expect(failure({ JWT_SECRET: SECRET }).mistakes).toMatchObject([
        { variable: 'RUN_MODE', source: 'config/default.toml' },
      ]);
    });

    it('reports a .env that cannot be read', () => {
      mkdirSync(join(cwd, '.env'));
      expect(failure({ JWT_SECRET: SECRET }).message).toContain('.env: the file cannot be read (EISDIR)');
    });
  });

  describe('secrets from files', () => {
    it('reads every secret from a mounted file and removes one line break', () => {
      write('run/key', `${KEY}\r\n`);
      const env = {
        JWT_SECRET_FILE: write('run/secret', `${SECRET}\n\n`),
        API_KEY_FILE: 'run/key',
        TENANT_ACME_API_KEY_FILE: write('run/acme', 'key-of-acme'),
      };
      const { config } = loadConfig({ env, cwd });
      expect(config.jwt.keys).toEqual([`${SECRET}\n`]);
      expect(config.apiKeys).toEqual({ general: [KEY], bound: [{ key: 'key-of-acme', tenant: 'acme' }] });
    });

    it.each(VARIABLES.filter(({ secret }) => secret === true).map(({ name }) => [name]))('%s_FILE', (name) => {
      const value =
        { REDIS_URL: 'redis://mounted:6379', DATABASE_URL: 'postgres://mounted/ara' }[name] ?? `mounted-${SECRET}`;
      const { JWT_SECRET_FILE = write('jwt', SECRET), ...mounted } = {
        [`${name}_FILE`]: write('run/it', `${value}\n`),
      };
      const { config } = loadConfig({ env: { JWT_SECRET_FILE, ...mounted }, cwd });
      expect(JSON.stringify(config)).toContain(`"${value}"`);
      const error = failure({ ...mounted, JWT_SECRET_FILE, [name]: value });
      expect(error.mistakes).toMatchObject([{ variable: `${name}_FILE`, problem: `it and ${name} are both set` }]);
      expect(
        failure({ JWT_SECRET_FILE: write('jwt', SECRET), [`${name}_FILE`]: join(cwd, 'none') }).mistakes,
      ).toMatchObject([{ variable: `${name}_FILE`, problem: 'the file cannot be read (ENOENT)' }]);
    });

    it('refuses both at once in one source', () => {
      const error = failure({ JWT_SECRET: SECRET, JWT_SECRET_FILE: write('s', SECRET) });
      expect(error.mistakes).toEqual([
        {
          variable: 'JWT_SECRET_FILE',
          source: 'environment',
          problem: 'it and JWT_SECRET are both set',
          remedy: 'Keep one of them.',
        },
      ]);
    });

    it('lets a file of the environment win over a secret of .env', () => {
      write('.env', `JWT_SECRET=${SECRET}\n`);
      const { config } = loadConfig({ env: { JWT_SECRET_FILE: write('s', `${SECRET}2`) }, cwd });
      expect(config.jwt.keys).toEqual([`${SECRET}2`]);
    });

    it('names a file that is missing or empty, once', () => {
      const error = failure({ JWT_SECRET_FILE: join(cwd, 'none'), API_KEY_FILE: write('empty', '\n') });
      expect(error.mistakes.map(({ variable, problem }) => `${variable}: ${problem}`)).toEqual([
        'JWT_SECRET_FILE: the file cannot be read (ENOENT)',
        'API_KEY_FILE: the file is empty',
      ]);
    });

    it('is no way for what is no secret', () => {
      const { warnings } = load({ SERVER_HOST_FILE: write('host', 'localhost') });
      expect(warnings.join()).toContain('SERVER_HOST_FILE (environment) is not known');
    });
  });

  describe('mistakes', () => {
    it('reports all together, with source, shape, rule and way out', () => {
      write('.env', 'QUEUE_BACKEND=postgress\n');
      write('config/default.toml', '[ack]\ntimeout_seconds = "soon"\n');
      const error = failure({
        RUN_MODE: 'production',
        SERVER_PORT: '70000',
        QUEUE_ENABLED: 'maybe',
        JWT_SECRET: 'short-secret',
        WEBSOCKET_CONNECTION_TIMEOUT: '10',
      });
      expect(error.message).toBe(
        `The configuration has 7 mistakes:
  - SERVER_PORT (environment): got the number 70000, but it must be an integer from 1 to 65535. Correct it, or remove it to get the default.
  - JWT_SECRET (environment): got a text of 12 characters, but it must be at least 32 characters. Make one: openssl rand -hex 32
  - QUEUE_ENABLED (environment): got a text of 5 characters, but it must be true or false (also 1/0, on/off, yes/no). Correct it, or remove it to get the default.
  - QUEUE_BACKEND (.env): got a text of 9 characters, but it must be one of memory, redis, postgres. Correct it, or remove it to get the default.
  - ACK_TIMEOUT_SECONDS (config/default.toml): got a text of 4 characters, but it must be an integer from 1 to 2147483 when ACK_ENABLED is on. Correct it, or remove it to get the default.
  - API_KEY: it is required in production. Make one: openssl rand -hex 32
  - WEBSOCKET_CONNECTION_TIMEOUT: 10 is not more than WEBSOCKET_HEARTBEAT_INTERVAL (30). Raise it, or shorten the heartbeat interval.
See docs/configuration.md.`,
      );
    });

    it.each(['', '1.5', '0x10', '1e3', '8081 8082', '12abc', 'NaN', 'Infinity', '-1', '9007199254740993'])(
      'takes no %j for a port',
      (text) => {
        if (text === '') expect(load({ SERVER_PORT: text }).config.server.port).toBe(8081);
        else expect(failure({ JWT_SECRET: SECRET, SERVER_PORT: text }).mistakes).toHaveLength(1);
      },
    );

    it.each([
      ['true', true],
      ['TRUE', true],
      ['1', true],
      ['On', true],
      ['yes', true],
      ['false', false],
      ['0', false],
      ['OFF', false],
      ['No', false],
    ])('reads the flag %s as %s', (text, value) => {
      const { config } = load({ QUEUE_ENABLED: text, SSE_AUTO_SUBSCRIBE: text });
      expect([config.queue.enabled, config.sse.autoSubscribe]).toEqual([value, value]);
    });

    it('checks the ranges of a switched-off feature only when it is on', () => {
      const off = { QUEUE_MESSAGE_TTL_SECONDS: '0', ACK_TIMEOUT_SECONDS: '0', OTEL_SAMPLING_RATIO: '7' };
      expect(load(off).config.queue.ttlSeconds).toBe(0);
      const error = failure({ JWT_SECRET: SECRET, ...off, QUEUE_ENABLED: '1', ACK_ENABLED: '1', OTEL_ENABLED: '1' });
      expect(error.mistakes.map(({ variable }) => variable)).toEqual(Object.keys(off));
      expect(failure({ JWT_SECRET: SECRET, OTEL_SAMPLING_RATIO: 'all' }).mistakes).toHaveLength(1);
    });

    it('never shows a secret, nor what may be one in the wrong place', () => {
      const secrets = {
        JWT_SECRET: 'pw-jwt-secret',
        JWT_SECRET_PREVIOUS: 'pw-jwt-previous',
        API_KEY: 'pw-kéy',
        API_KEY_PREVIOUS: '12345',
        CLUSTER_SECRET: 'pw-cluster',
        REDIS_URL: 'http://user:pw-redis@host',
        DATABASE_URL: 'mysql://user:pw-db@host',
        METRICS_TOKEN: 'pw metrics',
        QUEUE_BACKEND: 'redis://:pw-misplaced@host',
        TENANT_ACME_API_KEY: 'pw-ácme',
        TENANT_GLOBEX_MAX_CONNECTIONS: 'pw-globex',
        QUEUE_PASSWORD: 'pw-unknown',
      };
      const error = failure({ RUN_MODE: 'production', ...secrets });
      expect(error.mistakes.length).toBeGreaterThanOrEqual(10);
      const shown = [error.message, ...error.warnings, JSON.stringify(error.mistakes)].join('\n');
      expect(shown).not.toMatch(/pw[- ]|12345/);
    });
  });

  describe('unknown names', () => {
    it.each([
      ['QUEUE_ENABLE', 'QUEUE_ENABLED'],
      ['WEBSOCKET_MAX_CONNECTION', 'WEBSOCKET_MAX_CONNECTIONS'],
      ['CLUSTER_SERVER_IDENTITY', 'CLUSTER_SERVER_ID'],
      ['TENANT_ACME_CORP_MAX_CONECTIONS', 'TENANT_ACME_CORP_MAX_CONNECTIONS'],
      ['TENANT_DEFAULT_MAX_CONNECTION', 'TENANT_DEFAULT_MAX_CONNECTIONS'],
      ['JWT_SECRETE', 'JWT_SECRET'],
    ])('warns of %s and names %s', (name, nearest) => {
      expect(load({ [name]: '1' }).warnings).toContain(
        `${name} (environment) is not known and has no effect. Did you mean ${nearest}?`,
      );
    });

    it('warns of any unknown name in a file of its own', () => {
      write(
        'config/default.toml',
        'colour = "red"\n[queue]\nenable = true\n[tenant.tenant_overrides.acme]\nmax_connection = 3\n',
      );
      const { warnings } = load();
      expect(warnings).toContain(
        'QUEUE_ENABLE (config/default.toml) is not known and has no effect. Did you mean QUEUE_ENABLED?',
      );
      expect(warnings.filter((text) => text.startsWith('COLOUR'))).toHaveLength(1);
      expect(warnings).toContain(
        'TENANT_ACME_MAX_CONNECTION (config/default.toml) is not known and has no effect. Did you mean TENANT_ACME_MAX_CONNECTIONS?',
      );
    });

    it.each([
      'PATH',
      'HTTP_PROXY',
      'RUST_BACKTRACE',
      'OTEL_EXPORTER_OTLP_HEADERS',
      'REDIS_SERVICE_HOST',
      'REDIS_PORT',
      'REDIS_PORT_6379_TCP_ADDR',
    ])('is silent about %s, which others set', (name) => {
      expect(load({ [name]: 'x' }).warnings.join()).not.toContain(name);
    });
  });

  describe('two names of one setting', () => {
    it.each([
      [{ QUEUE_REDIS_KEY_PREFIX: 'a:', QUEUE_REDIS_PREFIX: 'b' }, 'QUEUE_REDIS_KEY_PREFIX'],
      [{ QUEUE_REDIS_PREFIX: 'b', QUEUE_REDIS_KEY_PREFIX: 'a:' }, 'QUEUE_REDIS_KEY_PREFIX'],
      [{ CLUSTER_SERVER_ID: 'b', CLUSTER_NODE_ID: 'a' }, 'CLUSTER_NODE_ID'],
      [
        { TENANT_DEFAULT_MAX_CONNECTIONS: '2', TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS: '3' },
        'TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS',
      ],
      [
        { TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS: '3', TENANT_DEFAULT_MAX_CONNECTIONS: '2' },
        'TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS',
      ],
    ])('%j: %s counts, with a warning', (env, winner) => {
      const { config, warnings } = load({ ...env, TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER: '1' });
      const { redisPrefix } = config.queue;
      expect({
        QUEUE_REDIS_KEY_PREFIX: redisPrefix === 'a',
        CLUSTER_NODE_ID: config.cluster.nodeId === 'a',
        TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS: config.tenant.defaultLimits.maxConnections === 3,
      }).toMatchObject({ [winner]: true });
      expect(warnings.filter((text) => text.includes('two names of one setting'))).toEqual([
        expect.stringMatching(new RegExp(`^${winner} and `)),
      ]);
    });

    it('names the alias in a mistake', () => {
      const { mistakes } = failure({ JWT_SECRET: SECRET, CLUSTER_SERVER_ID: 'a b' });
      expect(mistakes).toMatchObject([{ variable: 'CLUSTER_NODE_ID', source: 'environment, as CLUSTER_SERVER_ID' }]);
    });

    it('is silent when both say the same', () => {
      expect(load({ CLUSTER_SERVER_ID: 'a', CLUSTER_NODE_ID: 'a' }).warnings.join()).not.toContain('two names');
    });
  });
});
