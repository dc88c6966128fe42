import fc from 'fast-check';
import { id, tenant, user } from '../../test/support/engine';
import { DEFAULT_TENANT } from '../notification/ids';
import { GroupAcks } from './group-acks';

let groups: GroupAcks;

beforeEach(() => {
  groups = new GroupAcks();
});

const ref = (n: number, name: string, of = DEFAULT_TENANT) => ({ tenant: of, notification: id(n), user: user(name) });
const users = (...names: readonly string[]) => names.map(user);

it('settles each member once, with the time since the sending', () => {
  expect(groups.track(DEFAULT_TENANT, id(1), users('a', 'b', 'a'), 1000, 2000)).toBe(2);
  expect(groups.acknowledge(ref(1, 'a'), 1250)).toEqual({ kind: 'acked', latencyMs: 250 });
  expect(groups.acknowledge(ref(1, 'a'), 1260)).toEqual({ kind: 'unknown' });
  expect(groups.pending).toBe(1);
});

it('refuses strangers without touching the members', () => {
  groups.track(DEFAULT_TENANT, id(1), users('a'), 0, 1000);
  expect(groups.acknowledge(ref(1, 'b'), 1)).toEqual({ kind: 'unknown' });
  expect(groups.acknowledge(ref(1, 'a'), 1)).toMatchObject({ kind: 'acked' });
});

it('has nothing to say of a notification that is no group’s, or another tenant’s', () => {
  groups.track(DEFAULT_TENANT, id(1), users('a'), 0, 1000);
  expect(groups.acknowledge(ref(2, 'a'), 1)).toBeUndefined();
  expect(groups.acknowledge(ref(1, 'a', tenant('t')), 1)).toBeUndefined();
  expect(groups.track(DEFAULT_TENANT, id(3), [], 0, 1000)).toBe(0);
  expect(groups.acknowledge(ref(3, 'a'), 1)).toBeUndefined();
});

it('calls late what comes when the time is over, and forgets it', () => {
  groups.track(DEFAULT_TENANT, id(1), users('a', 'b'), 0, 1000);
  expect(groups.acknowledge(ref(1, 'a'), 999)).toMatchObject({ kind: 'acked' });
  expect(groups.acknowledge(ref(1, 'b'), 1000)).toEqual({ kind: 'late' });
  expect(groups.acknowledge(ref(1, 'b'), 1001)).toEqual({ kind: 'unknown' });
  expect(groups.pending).toBe(0);
});

it('sweeps whole groups, and says how many had not answered', () => {
  groups.track(DEFAULT_TENANT, id(1), users('a', 'b'), 0, 1000);
  groups.track(DEFAULT_TENANT, id(2), users('a'), 500, 1500);
  groups.track(tenant('t'), id(1), users('a'), 0, 1000);
  groups.acknowledge(ref(1, 'a'), 10);
  expect(groups.sweep(999)).toBe(0);
  expect(groups.sweep(1000)).toBe(2);
  expect(groups.pending).toBe(1);
  expect(groups.acknowledge(ref(1, 'b'), 1001)).toBeUndefined();
  expect(groups.sweep(1500)).toBe(1);
  expect(groups.pending).toBe(0);
});

it('counts nobody twice when a notification comes again', () => {
  expect(groups.track(DEFAULT_TENANT, id(1), users('a', 'b'), 0, 1000)).toBe(2);
  expect(groups.track(DEFAULT_TENANT, id(1), users('b', 'c'), 100, 1100)).toBe(1);
  expect(groups.pending).toBe(3);
  expect(groups.acknowledge(ref(1, 'b'), 200)).toEqual({ kind: 'acked', latencyMs: 200 });
  expect(groups.sweep(2000)).toBe(2);
  expect(groups.pending).toBe(0);
});

it('never loses count: tracked is acknowledged, late, swept or pending', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('track' as const), n: fc.nat(3), of: fc.array(fc.nat(4)) }),
    fc.record({ kind: fc.constant('ack' as const), n: fc.nat(3), by: fc.nat(4) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(600) }),
    fc.constant({ kind: 'sweep' as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      groups = new GroupAcks();
      let [now, tracked, settled] = [0, 0, 0];
      for (const each of steps) {
        if (each.kind === 'track')
          tracked += groups.track(
            DEFAULT_TENANT,
            id(each.n),
            each.of.map((n) => user(`${n}`)),
            now,
            now + 1000,
          );
        else if (each.kind === 'ack') {
          const outcome = groups.acknowledge(ref(each.n, `${each.by}`), now);
          if (outcome?.kind === 'acked' || outcome?.kind === 'late') settled++;
        } else if (each.kind === 'wait') now += each.ms;
        else settled += groups.sweep(now);
        expect(groups.pending).toBe(tracked - settled);
      }
      expect(groups.sweep(now + 1000)).toBe(tracked - settled);
      expect(groups.pending).toBe(0);
    }),
  );
});
