import type { AraConfig } from '../config/ara-config';
import { DEFAULT_TENANT, parseTenantId, type TenantId } from '../notification/ids';
import { TenantService } from './tenant.service';

const ACME = parseTenantId('acme') as TenantId;
const OTHER = parseTenantId('other') as TenantId;
const ofAll = { maxConnections: 1000, maxConnectionsPerUser: 5, maxSubscriptionsPerConnection: 50 };
const ofAcme = { maxConnections: 2, maxConnectionsPerUser: 1, maxSubscriptionsPerConnection: 3 };

function service(enabled: boolean): TenantService {
  return new TenantService({
    tenant: { enabled, defaultLimits: ofAll, limits: new Map([[ACME, ofAcme]]) },
    webSocket: { maxConnections: 7, maxConnectionsPerUser: 8, maxSubscriptionsPerConnection: 9 },
  } as unknown as AraConfig);
}

describe('TenantService', () => {
  it('gives a tenant its own limits, else those of every tenant, the default one included', () => {
    const tenants = service(true);
    expect(tenants.limitsOf(ACME)).toEqual(ofAcme);
    expect(tenants.limitsOf(OTHER)).toEqual(ofAll);
    expect(tenants.limitsOf(DEFAULT_TENANT)).toEqual(ofAll);
  });

  it('gives everybody the global limits while tenants are off, and counts the total only once', () => {
    const global = { maxConnections: 0, maxConnectionsPerUser: 8, maxSubscriptionsPerConnection: 9 };
    expect(service(false).limitsOf(DEFAULT_TENANT)).toEqual(global);
    expect(service(false).limitsOf(ACME)).toEqual(global);
  });
});
