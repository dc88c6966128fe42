import type { AraConfig } from '../config/ara-config';
import { parseTenantId, type TenantId } from '../notification/ids';
import { ApiKeys } from './api-key';

const ACME = parseTenantId('acme-corp') as TenantId;

function apiKeys(general: string[], bound: { key: string; tenant: TenantId }[] = []): ApiKeys {
  return new ApiKeys({ apiKeys: { general, bound } } as unknown as AraConfig);
}

describe('ApiKeys', () => {
  const keys = apiKeys(['current', 'previous'], [{ key: 'of-acme', tenant: ACME }]);

  it('knows the general key and the previous one as the same caller', () => {
    expect(keys.principalOf('current')).toEqual({ name: 'general', tenant: undefined, bucket: 'general' });
    expect(keys.principalOf('previous')).toEqual(keys.principalOf('current'));
  });

  it('knows a bound key with its tenant', () => {
    expect(keys.principalOf('of-acme')).toEqual({
      name: 'tenant:acme-corp',
      tenant: 'acme-corp',
      bucket: 'tenant:acme-corp',
    });
  });

  it.each([undefined, '', 'Current', 'curren', 'current ', 'currentt', 'current, current', ['current']])(
    'knows nobody by %j',
    (header) => {
      expect(keys.principalOf(header)).toBeUndefined();
    },
  );

  it('compares bytes: a key beyond ASCII arrives as one character per byte', () => {
    const umlaut = apiKeys(['schlüssel']);
    expect(umlaut.principalOf(Buffer.from('schlüssel').toString('latin1'))).toBeDefined();
    expect(umlaut.principalOf('schlüssel')).toBeUndefined();
  });

  it('knows keys of any length, and nobody by more than fits', () => {
    const long = 'k'.repeat(2000);
    const some = apiKeys([long, 'short']);
    expect([long, 'short'].map((key) => some.principalOf(key)?.name)).toEqual(['general', 'general']);
    for (const header of [`${long}k`, long.slice(1), 'shor', 'shortk'])
      expect(some.principalOf(header)).toBeUndefined();
  });

  it('is not confused by what was presented before', () => {
    const some = apiKeys(['short']);
    expect(some.principalOf('short-and-more')).toBeUndefined();
    expect(some.principalOf('short')).toBeDefined();
    expect(some.principalOf('shor')).toBeUndefined();
  });

  it('gives a key that is general and bound the narrower meaning', () => {
    expect(apiKeys(['same'], [{ key: 'same', tenant: ACME }]).principalOf('same')).toMatchObject({ tenant: ACME });
  });

  it('lets anybody in only while no key of any kind is configured', () => {
    expect(apiKeys([]).isOpen).toBe(true);
    expect(apiKeys([]).principalOf(undefined)).toEqual({ name: 'anyone', tenant: undefined, bucket: undefined });
    expect(apiKeys([]).principalOf('whatever')).toMatchObject({ bucket: undefined });
    const onlyBound = apiKeys([], [{ key: 'of-acme', tenant: ACME }]);
    expect(onlyBound.isOpen).toBe(false);
    expect(onlyBound.principalOf(undefined)).toBeUndefined();
  });

  it('tells no secret by what it hands out', () => {
    expect(JSON.stringify([keys.principalOf('current'), keys.principalOf('of-acme')])).not.toMatch(/current|of-acme/);
  });
});
