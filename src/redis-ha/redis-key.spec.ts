import fc from 'fast-check';
import { parseTenantId, parseUserId, type TenantId, type UserId } from '../notification/ids';
import { encodeKeyPart, SHARDS, shardKey, shardOf, userName } from './redis-key';

/** Names that are likely to collide when they are joined carelessly. */
const awkward = fc.oneof(
  {
    arbitrary: fc.string({
      unit: fc.constantFrom('a', 'A', ':', '{', '}', '%', '3', '.', '-', '_', 'é', 'e\u0301'),
      maxLength: 4,
    }),
    weight: 3,
  },
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const users = awkward.map(parseUserId).filter((user): user is UserId => user !== undefined);
const tenants = awkward.map(parseTenantId).filter((tenant): tenant is TenantId => tenant !== undefined);

describe('keys', () => {
  it('of different pairs of tenant and user differ', () => {
    const pairs = fc.sample(fc.tuple(tenants, users), { numRuns: 20_000, seed: 7 });
    const distinct = new Set(pairs.map((pair) => JSON.stringify(pair)));
    const names = new Set(pairs.map(([tenant, user]) => userName(tenant, user)));
    expect(names.size).toBe(distinct.size);
    expect(distinct.size).toBeGreaterThan(5_000);
  });

  it('hold no brace but those of the hash tag, so that all of one place lie in one slot', () => {
    fc.assert(
      fc.property(tenants, users, fc.nat({ max: SHARDS - 1 }), (tenant, user, shard) => {
        const name = userName(tenant, user);
        expect(name).not.toMatch(/[{}]/);
        const keys = [shardKey('ara:queue', shard, 's', name), shardKey('ara:queue', shard, 'i', name)];
        // Redis hashes what stands between the first brace and the next closing one.
        for (const key of [...keys, shardKey('other', shard, 'm')])
          expect(/{(.*?)}/.exec(key)?.[1]).toBe(String(shard));
      }),
    );
  });

  it('stay readable where they can', () => {
    expect(encodeKeyPart('user-1.a_B')).toBe('user-1.a_B');
    expect(userName('acme' as TenantId, 'a:b' as UserId)).toBe('acme:a%3Ab');
    expect(shardKey('ara:queue', 7, 's', 'acme:u1')).toBe('ara:queue:{7}:s:acme:u1');
  });

  it('are spread evenly', () => {
    const perShard = new Array<number>(SHARDS).fill(0);
    for (let n = 0; n < 64_000; n++) {
      const shard = shardOf(userName('default' as TenantId, `user-${n}` as UserId));
      perShard[shard]!++;
    }
    expect(Math.min(...perShard)).toBeGreaterThan(800);
    expect(Math.max(...perShard)).toBeLessThan(1200);
  });
});
