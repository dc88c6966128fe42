import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AraConfig } from './ara-config';
import { loadConfig } from './load-config';

const SECRET = '8f1b6c0de2a94735b1c7f0a35e9d2468';

describe('settings of single tenants', () => {
  let cwd: string;

  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'ara-config-'));
  });

  afterEach(() => {
    rmSync(cwd, { recursive: true });
  });

  function toml(file: string, text: string): void {
    mkdirSync(join(cwd, 'config'), { recursive: true });
    writeFileSync(join(cwd, 'config', file), text);
  }

  function load(env: Record<string, string>): AraConfig {
    return loadConfig({ env: { JWT_SECRET: SECRET, TENANT_ENABLED: 'true', ...env }, cwd }).config;
  }

  it('an ID stands for the tenant in lower case with hyphens; what it does not set comes from the defaults', () => {
    const { limits } = load({
      TENANT_ACME_CORP_MAX_CONNECTIONS: '5000',
      TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER: '9',
    }).tenant;
    expect([...limits]).toEqual([
      ['acme-corp', { maxConnections: 5000, maxConnectionsPerUser: 9, maxSubscriptionsPerConnection: 50 }],
    ]);
  });

  it('every setting of an ID reaches the tenant that it names', () => {
    const { tenant, apiKeys } = load({
      TENANT_A_B_NAME: 'Älpha.β',
      TENANT_A_B_API_KEY: 'key of alpha',
      TENANT_A_B_MAX_CONNECTIONS: '0',
      TENANT_A_B_MAX_CONNECTIONS_PER_USER: '2',
      TENANT_A_B_MAX_SUBSCRIPTIONS_PER_CONNECTION: '3',
    });
    expect([...tenant.limits]).toEqual([
      ['Älpha.β', { maxConnections: 0, maxConnectionsPerUser: 2, maxSubscriptionsPerConnection: 3 }],
    ]);
    expect(apiKeys.bound).toEqual([{ key: 'key of alpha', tenant: 'Älpha.β' }]);
  });

  it('can bind a key to the default tenant, by another ID', () => {
    const { apiKeys } = load({ TENANT_HOME_NAME: 'default', TENANT_HOME_API_KEY: 'k' });
    expect(apiKeys.bound).toEqual([{ key: 'k', tenant: 'default' }]);
  });

  it.each(['TENANT_DEFAULT_API_KEY', 'TENANT_DEFAULT_X_MAX_CONNECTIONS', 'TENANT_ENABLED_MAX_CONNECTIONS'])(
    '%s belongs to no tenant',
    (name) => {
      const { config, warnings } = loadConfig({ env: { JWT_SECRET: SECRET, [name]: '7' }, cwd });
      expect(config.apiKeys.bound).toEqual([]);
      expect(config.tenant.limits.size).toBe(0);
      expect(warnings.join('\n')).toContain(`${name} (environment) is not known`);
    },
  );

  it('takes tenants from TOML by their own name; the environment wins setting by setting', () => {
    toml(
      'default.toml',
      `[tenant.default_limits]
       max_connections_per_user = 6
       [tenant.tenant_overrides.premium]
       max_connections = 1
       max_connections_per_user = 10
       max_subscriptions_per_connection = 100
       [tenant.tenant_overrides."Acme.EU"]
       max_connections = 2
       api_key = "key of acme"`,
    );
    toml('development.toml', '[tenant.tenant_overrides.premium]\nmax_connections_per_user = 11\n');
    const { tenant, apiKeys } = load({ TENANT_PREMIUM_MAX_CONNECTIONS: '5000' });
    expect([...tenant.limits]).toEqual([
      ['premium', { maxConnections: 5000, maxConnectionsPerUser: 11, maxSubscriptionsPerConnection: 100 }],
      ['Acme.EU', { maxConnections: 2, maxConnectionsPerUser: 6, maxSubscriptionsPerConnection: 50 }],
    ]);
    expect(apiKeys.bound).toEqual([{ key: 'key of acme', tenant: 'Acme.EU' }]);
  });

  it.each<[string, Record<string, string>, string]>([
    [
      'a limit that is no number',
      { TENANT_ACME_MAX_CONNECTIONS: 'many' },
      'TENANT_ACME_MAX_CONNECTIONS (environment): got a text of 4',
    ],
    [
      'a limit below zero',
      { TENANT_ACME_MAX_CONNECTIONS: '-1' },
      'TENANT_ACME_MAX_CONNECTIONS (environment): got the number -1',
    ],
    ['a name that is no tenant', { TENANT_ACME_NAME: 'a:b' }, 'TENANT_ACME_NAME (environment): it names no tenant'],
    ['an ID too long for a tenant', { [`TENANT_${'A'.repeat(65)}_MAX_CONNECTIONS`]: '1' }, 'it names no tenant'],
    [
      'two IDs for one tenant',
      { TENANT_ACME_MAX_CONNECTIONS: '1', TENANT_B_NAME: 'acme', TENANT_B_MAX_CONNECTIONS: '2' },
      'TENANT_B_NAME (environment): another TENANT_<ID>_… stands for the tenant acme',
    ],
    [
      'a key that no header can carry',
      { TENANT_ACME_API_KEY: 'schlüssel' },
      'TENANT_ACME_API_KEY (environment): got a text of 9',
    ],
  ])('refuses %s', (_, env, message) => {
    expect(() => load(env)).toThrow(message);
  });

  it('refuses a table in TOML that names no tenant', () => {
    toml('default.toml', '[tenant.tenant_overrides."a:b"]\nmax_connections = 1\n');
    expect(() => load({})).toThrow('tenant.tenant_overrides.a:b (config/default.toml): it names no tenant');
  });
});
