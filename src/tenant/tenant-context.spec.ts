import * as fc from 'fast-check';
import type { TenantConfig } from '../config/ara-config';
import { AraError } from '../notification/ara-error';
import { DEFAULT_TENANT, parseTenantId, type TenantId } from '../notification/ids';
import { bareName, optionalTenant, requiredTenant, type TenantClaim } from './tenant-context';

const ACME = parseTenantId('acme') as TenantId;
const on = { enabled: true, requireHeader: true } as TenantConfig;
const lenient = { ...on, requireHeader: false };
const off = { ...on, enabled: false };

/** A header as Node gives it: the bytes of its UTF-8, one character each. */
const onTheWire = (text: string): string => Buffer.from(text).toString('latin1');
const claim = (header?: string | string[], bound?: TenantId): TenantClaim => ({ header, bound });

function reasonOf(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof AraError) return thrown.reason;
    throw thrown;
  }
  return 'none';
}

describe.each([
  ['requiredTenant', requiredTenant],
  ['optionalTenant', optionalTenant],
])('%s', (_name, tenantOf) => {
  it.each(['acme', 'default', 'A.b_c-9', '公司', 'a'.repeat(64)])('reads %s from the header', (tenant) => {
    expect(tenantOf(claim(onTheWire(tenant)), on)).toBe(tenant);
    expect(tenantOf(claim(onTheWire(`  ${tenant}\t`)), on)).toBe(tenant);
  });

  it('does not normalise: two spellings of one letter are two tenants', () => {
    expect(tenantOf(claim(onTheWire('caf\u00e9')), on)).not.toBe(tenantOf(claim(onTheWire('cafe\u0301')), on));
  });

  it.each(['', ' ', 'a:b', 'a b', 'a/b', 'a,b', 'acme, acme', 'a\0', '*', 'a'.repeat(65), '公'.repeat(22)])(
    'refuses the header %j',
    (header) => {
      expect(reasonOf(() => tenantOf(claim(onTheWire(header)), on))).toBe('INVALID_TENANT');
    },
  );

  it('refuses bytes that are not UTF-8, and a header that came as a list', () => {
    expect(reasonOf(() => tenantOf(claim('acm\u00e9'), on))).toBe('INVALID_TENANT');
    expect(reasonOf(() => tenantOf(claim(['acme', 'acme']), on))).toBe('INVALID_TENANT');
  });

  it('takes the tenant of a bound key, which the header may only repeat', () => {
    expect(tenantOf(claim(undefined, ACME), on)).toBe('acme');
    expect(tenantOf(claim('acme', ACME), on)).toBe('acme');
    for (const other of ['acme2', 'default', 'Acme']) {
      expect(reasonOf(() => tenantOf(claim(other, ACME), on))).toBe('TENANT_ACCESS_DENIED');
    }
  });

  it('does not read the header while tenants are off', () => {
    expect(tenantOf(claim('acme'), off)).toBe(DEFAULT_TENANT);
    expect(tenantOf(claim('a:b'), off)).toBe(DEFAULT_TENANT);
    expect(tenantOf(claim(), off)).toBe(DEFAULT_TENANT);
  });

  it('answers any header with a tenant or one of two errors', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (header) => {
        let tenant: TenantId | undefined;
        const reason = reasonOf(() => {
          tenant = tenantOf(claim(header), on);
        });
        expect(reason === 'none' ? parseTenantId(String(tenant)) : reason).toBe(tenant ?? 'INVALID_TENANT');
      }),
    );
  });
});

describe('a request that names no tenant', () => {
  it('is refused where one is required', () => {
    expect(reasonOf(() => requiredTenant(claim(), on))).toBe('TENANT_REQUIRED');
  });

  it('is in the default tenant when the configuration says so', () => {
    expect(requiredTenant(claim(), lenient)).toBe(DEFAULT_TENANT);
  });

  it('is about all tenants where none is required', () => {
    expect(optionalTenant(claim(), on)).toBeUndefined();
    expect(optionalTenant(claim(), lenient)).toBeUndefined();
  });
});

describe('bareName', () => {
  it.each([
    ['orders', 'orders'],
    ['acme:orders', 'orders'],
    ['tenant-acme:orders', 'orders'],
    ['other:orders', 'other:orders'],
    ['tenant-other:orders', 'tenant-other:orders'],
    ['acme', 'acme'],
    ['acme:', ''],
    ['acme:acme:orders', 'acme:orders'],
    ['Acme:orders', 'Acme:orders'],
  ])('of acme, %s is %s', (given, expected) => {
    expect(bareName(ACME, given)).toBe(expected);
  });

  it('leaves the names of the default tenant alone', () => {
    for (const name of ['orders', 'default:orders', 'tenant-default:orders', 'acme:orders']) {
      expect(bareName(DEFAULT_TENANT, name)).toBe(name);
    }
  });
});
