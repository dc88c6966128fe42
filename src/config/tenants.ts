import type { ApiKeyConfig, TenantLimits } from './ara-config';
import { API_KEY_RULE } from './environment';
import type { Environment } from './environment';
import { shapeOf } from './findings';
import type { Findings } from './findings';
import type { Setting, Settings } from './settings';
import { parseTenantVariable } from './tenant-variable';
import type { TenantSetting } from './tenant-variable';
import { parseTenantId } from '../notification/ids';
import type { TenantId } from '../notification/ids';

/** What is set for single tenants: in the environment by ID, in the TOML files by the tenant's name. */
export interface Tenants {
  readonly limits: ReadonlyMap<TenantId, TenantLimits>;
  readonly keys: readonly (ApiKeyConfig['bound'][number] & { readonly variable: string })[];
}

/** A setting, and the name under which an operator finds it. */
type NamedSetting = Setting & { readonly variable: string };
type TenantSettings = Map<TenantSetting, NamedSetting>;

/** The settings of single tenants, checked; what a tenant does not set for itself it takes from the defaults. */
export function readTenants(settings: Settings, environment: Environment, findings: Findings): Tenants {
  const tenants = byTenant(settings, findings);
  const limits = new Map<TenantId, TenantLimits>();
  for (const [tenant, own] of tenants) {
    const limit = (setting: TenantSetting, otherwise: number) => parseLimit(own.get(setting), findings) ?? otherwise;
    const limitsOfTenant = {
      maxConnections: limit('MAX_CONNECTIONS', environment.TENANT_DEFAULT_MAX_CONNECTIONS),
      maxConnectionsPerUser: limit('MAX_CONNECTIONS_PER_USER', environment.TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER),
      maxSubscriptionsPerConnection: limit(
        'MAX_SUBSCRIPTIONS_PER_CONNECTION',
        environment.TENANT_DEFAULT_MAX_SUBSCRIPTIONS_PER_CONNECTION,
      ),
    };
    if ([...own.keys()].some((setting) => setting.startsWith('MAX_'))) limits.set(tenant, limitsOfTenant);
  }
  const keys = [...tenants].flatMap(([tenant, own]) => {
    const key = own.get('API_KEY');
    if (key === undefined) return [];
    const { variable, source, value } = key;
    if (!API_KEY_RULE.check(value)) {
      const problem = `got ${shapeOf(value, true)}, but it must be ${API_KEY_RULE.rule}`;
      findings.mistake({ variable, source, problem, remedy: API_KEY_RULE.remedy });
    }
    return [{ key: value, tenant, variable }];
  });
  return { limits, keys };
}

function byTenant({ variables, tenantOverrides }: Settings, findings: Findings): Map<TenantId, TenantSettings> {
  const tenants = new Map<TenantId, TenantSettings>();
  for (const [id, settings] of byId(variables)) {
    const variable = `TENANT_${id}_NAME`;
    const name = settings.get('NAME');
    const tenant = named(variable, name?.value.trim() ?? id.toLowerCase().replaceAll('_', '-'), name?.source, findings);
    if (tenant === undefined) continue;
    if (tenants.has(tenant)) {
      const problem = `another TENANT_<ID>_… stands for the tenant ${tenant}, too`;
      findings.mistake({ variable, source: name?.source, problem, remedy: 'Keep one ID for each tenant.' });
    }
    tenants.set(tenant, settings);
  }
  for (const { tenant: raw, setting, ...found } of tenantOverrides) {
    const table = `tenant.tenant_overrides.${raw}`;
    const tenant = named(table, raw, found.source, findings);
    if (tenant === undefined) continue;
    const own = tenants.get(tenant) ?? new Map<TenantSetting, NamedSetting>();
    // The environment, or a file of higher precedence, was there before.
    if (!own.has(setting)) own.set(setting, { ...found, variable: `${table}.${setting.toLowerCase()}` });
    tenants.set(tenant, own);
  }
  return tenants;
}

function named(variable: string, raw: string, source: string | undefined, findings: Findings): TenantId | undefined {
  const tenant = parseTenantId(raw);
  if (tenant === undefined) {
    const problem = 'it names no tenant: 1 to 64 bytes of letters, digits, -, _ and .';
    findings.mistake({ variable, source, problem, remedy: 'Write the name of the tenant as its tokens have it.' });
  }
  return tenant;
}

function byId(variables: Settings['variables']): Map<string, TenantSettings> {
  const ids = new Map<string, TenantSettings>();
  for (const [variable, found] of variables) {
    const parsed = parseTenantVariable(variable);
    if (parsed === undefined) continue;
    const settings = ids.get(parsed.id) ?? new Map<TenantSetting, NamedSetting>();
    ids.set(parsed.id, settings.set(parsed.setting, { ...found, variable }));
  }
  return ids;
}

function parseLimit(setting: NamedSetting | undefined, findings: Findings): number | undefined {
  if (setting === undefined) return undefined;
  const text = setting.value.trim();
  if (/^\+?\d{1,10}$/.test(text) && Number(text) <= 2_147_483_647) return Number(text);
  const { variable, source } = setting;
  const problem = `got ${shapeOf(text)}, but it must be an integer from 0 to 2147483647`;
  findings.mistake({ variable, source, problem, remedy: 'Correct it; 0 means unlimited.' });
  return undefined;
}
