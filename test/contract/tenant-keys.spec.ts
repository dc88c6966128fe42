import fc from 'fast-check';
import {
  parseChannelName,
  parseTenantId,
  parseUserId,
  type ChannelName,
  type TenantId,
  type UserId,
} from '../../src/notification/ids';
import { RedisQueueKeys } from '../../src/queue/redis-queue.keys';
import { encodeKeyPart, userName } from '../../src/redis-ha/redis-key';
import { hostileId } from '../support/hostile';
import { repeats } from '../support/repeats';

/** `KEY_PAIRS=1000000 npx jest test/contract/tenant-keys` asks for more, other ones each time. */
const { KEY_PAIRS } = process.env;
const PAIRS = Number(KEY_PAIRS ?? repeats(100_000));
const SEED = KEY_PAIRS === undefined ? 1 : Date.now() % 0x7fff_ffff;
const CHUNK = 50_000;

const text = fc.oneof(
  hostileId,
  // What is left after a careless encoding: parts of separators and escapes, and letters that fold into one another.
  fc.string({
    unit: fc.constantFrom('a', 'A', ':', '{', '}', '%', '3', '5', '2', '.', '-', '_', 'é', 'e\u0301'),
    maxLength: 5,
  }),
);
const tenants = text.map(parseTenantId).filter((tenant): tenant is TenantId => tenant !== undefined);
const users = text.map(parseUserId).filter((user): user is UserId => user !== undefined);
const channels = text.map(parseChannelName).filter((name): name is ChannelName => name !== undefined);

/** Reads the two parts back. Where that can be done, no two pairs share a key. */
function pairOf(key: string): string[] {
  return key.split(':').map(decodeURIComponent);
}

function eachPair<T>(pairs: fc.Arbitrary<T>, check: (pair: T) => void): number {
  const distinct = new Set<string>();
  for (let done = 0; done < PAIRS; done += CHUNK) {
    for (const pair of fc.sample(pairs, { numRuns: Math.min(CHUNK, PAIRS - done), seed: SEED + done })) {
      check(pair);
      distinct.add(JSON.stringify(pair));
    }
  }
  return distinct.size;
}

it(`the names of ${PAIRS} pairs of tenant and user tell the pair (seed ${SEED})`, () => {
  const keys = new RedisQueueKeys('ara:queue');
  const names = new Map<string, string>();
  const distinct = eachPair(fc.tuple(tenants, users), ([tenant, user]) => {
    const name = userName(tenant, user);
    const [backTenant, backUser, ...more] = pairOf(name);
    if (backTenant !== tenant || backUser !== user || more.length > 0)
      throw new Error(`${name} is not ${tenant}, ${user}`);
    names.set(keys.place({ tenant, user }).stream, name);
  });
  // And the queue's keys are as many as the names.
  expect(names.size).toBe(distinct);
  expect(new Set(names.values()).size).toBe(distinct);
  expect(distinct).toBeGreaterThan(PAIRS / 10);
}, 600_000);

it(`the names of ${PAIRS} pairs of tenant and channel tell the pair (seed ${SEED})`, () => {
  const names = new Set<string>();
  const distinct = eachPair(fc.tuple(tenants, channels), ([tenant, channel]) => {
    const name = `${encodeKeyPart(tenant)}:${encodeKeyPart(channel)}`;
    const [backTenant, backChannel, ...more] = pairOf(name);
    if (backTenant !== tenant || backChannel !== channel || more.length > 0) {
      throw new Error(`${name} is not ${tenant}, ${channel}`);
    }
    names.add(name);
  });
  expect(names.size).toBe(distinct);
}, 600_000);
