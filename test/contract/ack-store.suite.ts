import fc from 'fast-check';
import type { AckOutcome, AckRef, AckStore, AckTotals, PendingAck } from '../../src/ack/ack-store';
import type { NotificationId, TenantId, UserId } from '../../src/notification/ids';
import { MODEL_MS, MODEL_RUN } from './model-run';

const T0 = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const TIMEOUT_MS = 30_000;

/** Several stores over the same, empty data, as several nodes would have: not opened yet. Called for each test and run. */
export type MakeAckStores = () => Promise<readonly [AckStore, ...AckStore[]]>;

const acme = 'acme' as TenantId;
const other = 'other' as TenantId;

function ref(n: number, user = 'alice', tenant = acme): AckRef {
  const notification = `01890000-0000-7000-8000-${n.toString(16).padStart(12, '0')}` as NotificationId;
  return { tenant, notification, user: user as UserId };
}

function pending(of: AckRef, sentAt = T0): PendingAck {
  return { ...of, sentAt, expiresAt: sentAt + TIMEOUT_MS };
}

const NOTHING: AckTotals = { tracked: 0, acked: 0, expired: 0, pending: 0, totalLatencyMs: 0 };

/** What every AckStore promises. */
export function describeAckStore(name: string, make: MakeAckStores): void {
  describe(`AckStore: ${name}`, () => {
    let stores: readonly [AckStore, ...AckStore[]];
    let store: AckStore;

    beforeEach(async () => {
      stores = await opened(make);
      store = stores[0];
    });

    afterEach(() => closed(stores));

    it('settles what it tracked, once, and measures how long it took', async () => {
      expect(await store.trackMany([pending(ref(1))])).toEqual({ fresh: 1, renewed: 0 });
      expect(await store.acknowledgeMany([ref(1)], T0 + 250)).toEqual([{ kind: 'acked', latencyMs: 250 }]);
      expect(await store.acknowledgeMany([ref(1)], T0 + 251)).toEqual([{ kind: 'unknown' }]);
      expect(await store.totals()).toEqual({ tracked: 1, acked: 1, expired: 0, pending: 0, totalLatencyMs: 250 });
    });

    it('starts at nothing, and takes nothing', async () => {
      expect(await store.trackMany([])).toEqual({ fresh: 0, renewed: 0 });
      expect(await store.acknowledgeMany([], T0)).toEqual([]);
      expect(await store.sweep(T0)).toBe(0);
      expect(await store.totals()).toEqual(NOTHING);
      expect(await store.totals(acme)).toEqual(NOTHING);
    });

    it('knows nothing of other users, tenants and notifications', async () => {
      await store.trackMany([pending(ref(1))]);
      const foreign = [ref(1, 'bob'), ref(1, 'alice', other), ref(2)];
      expect(await store.acknowledgeMany(foreign, T0)).toEqual(foreign.map(() => ({ kind: 'unknown' })));
      expect(await store.acknowledgeMany([ref(1)], T0)).toEqual([{ kind: 'acked', latencyMs: 0 }]);
    });

    it('gives each recipient of one notification an acknowledgement of their own', async () => {
      const recipients = Array.from({ length: 1100 }, (_, n) => ref(1, `user ${n}`));
      expect(await store.trackMany(recipients.map((each) => pending(each)))).toEqual({ fresh: 1100, renewed: 0 });
      const outcomes = await store.acknowledgeMany(recipients, T0 + 1);
      expect(outcomes).toEqual(recipients.map(() => ({ kind: 'acked', latencyMs: 1 })));
    });

    it('settles in order: the same ref twice in one call is acked once', async () => {
      await store.trackMany([pending(ref(1)), pending(ref(2))]);
      expect(await store.acknowledgeMany([ref(1), ref(3), ref(1), ref(2)], T0 + 5)).toEqual([
        { kind: 'acked', latencyMs: 5 },
        { kind: 'unknown' },
        { kind: 'unknown' },
        { kind: 'acked', latencyMs: 5 },
      ]);
    });

    it('keeps the first time of one that is pending already', async () => {
      await store.trackMany([pending(ref(1))]);
      expect(await store.trackMany([pending(ref(1), T0 + 1000), pending(ref(2)), pending(ref(2))])).toEqual({
        fresh: 1,
        renewed: 0,
      });
      expect(await store.acknowledgeMany([ref(1)], T0 + 1500)).toEqual([{ kind: 'acked', latencyMs: 1500 }]);
      expect((await store.totals()).tracked).toBe(2);
    });

    it('refuses what comes too late, once, and counts it as expired', async () => {
      await store.trackMany([pending(ref(1)), pending(ref(2))]);
      expect(await store.acknowledgeMany([ref(1)], T0 + TIMEOUT_MS)).toEqual([{ kind: 'late' }]);
      expect(await store.acknowledgeMany([ref(1)], T0 + TIMEOUT_MS)).toEqual([{ kind: 'unknown' }]);
      expect(await store.acknowledgeMany([ref(2)], T0 + TIMEOUT_MS - 1)).toEqual([
        { kind: 'acked', latencyMs: TIMEOUT_MS - 1 },
      ]);
      expect(await store.totals()).toMatchObject({ tracked: 2, acked: 1, expired: 1, pending: 0 });
    });

    it('tracks afresh what is sent again after its time was over, swept or not', async () => {
      const again = T0 + TIMEOUT_MS;
      await store.trackMany([pending(ref(1))]);
      expect(await store.trackMany([pending(ref(1), again), pending(ref(2), again)])).toEqual({ fresh: 2, renewed: 1 });
      expect(await store.acknowledgeMany([ref(1)], again + 7)).toEqual([{ kind: 'acked', latencyMs: 7 }]);
      expect(await store.totals()).toEqual({ tracked: 3, acked: 1, expired: 1, pending: 1, totalLatencyMs: 7 });
    });

    it('never measures less than nothing, whatever the clocks of two nodes say', async () => {
      await store.trackMany([pending(ref(1), T0 + 40)]);
      expect(await store.acknowledgeMany([ref(1)], T0)).toEqual([{ kind: 'acked', latencyMs: 0 }]);
    });

    it('sweeps what has expired and only that, thousands at a time', async () => {
      const old = Array.from({ length: 2500 }, (_, n) => pending(ref(n, `user ${n % 40}`)));
      await store.trackMany(old);
      await store.trackMany([pending(ref(9999), T0 + 1)]);
      expect(await store.sweep(T0 + TIMEOUT_MS - 1)).toBe(0);
      expect(await store.sweep(T0 + TIMEOUT_MS)).toBe(2500);
      expect(await store.sweep(T0 + TIMEOUT_MS)).toBe(0);
      expect(await store.totals()).toMatchObject({ tracked: 2501, acked: 0, expired: 2500, pending: 1 });
    });

    it('keeps totals per tenant', async () => {
      await store.trackMany([pending(ref(1)), pending(ref(2)), pending(ref(1, 'alice', other))]);
      await store.acknowledgeMany([ref(1), ref(1, 'alice', other)], T0 + 10);
      expect(await store.totals(acme)).toEqual({ tracked: 2, acked: 1, expired: 0, pending: 1, totalLatencyMs: 10 });
      expect(await store.totals(other)).toEqual({ tracked: 1, acked: 1, expired: 0, pending: 0, totalLatencyMs: 10 });
      expect(await store.totals()).toEqual({ tracked: 3, acked: 2, expired: 0, pending: 1, totalLatencyMs: 20 });
    });

    it('keeps refs apart whatever their names hold', async () => {
      const users = ['', ':', 'a:b', 'a', '{a}', '%3A', '訂單', '😀', ' ', '\n', 'x'.repeat(255)];
      const refs = ['a', 'a.b', '订'].flatMap((tenant) => users.map((user) => ref(1, user, tenant as TenantId)));
      for (const [n, each] of refs.entries()) await store.trackMany([pending(each, T0 + n)]);
      for (const [n, each] of refs.entries()) {
        const [outcome] = await store.acknowledgeMany([each], T0 + 1000);
        expect(outcome).toEqual({ kind: 'acked', latencyMs: 1000 - n });
      }
    });

    it('lets one of several nodes settle', async () => {
      await store.trackMany([pending(ref(1))]);
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, n) => stores[n % stores.length]!.acknowledgeMany([ref(1)], T0 + 1)),
      );
      expect(outcomes.flat().filter(({ kind }) => kind === 'acked')).toHaveLength(1);
    });

    it('closes twice without harm', async () => {
      await store.close();
      await store.close();
    });

    it(
      'behaves like the model, whatever the order of operations',
      async () => {
        await fc.assert(fc.asyncProperty(fc.array(anyTurn, { maxLength: 25, size: 'max' }), agreement), MODEL_RUN);
      },
      MODEL_MS + 60_000,
    );

    async function agreement(turns: readonly (readonly Operation[])[]): Promise<void> {
      const nodes = await opened(make);
      try {
        let now = T0;
        let states: readonly Model[] = [EMPTY];
        for (const turn of turns) {
          const [first] = turn;
          if (first?.kind === 'wait') now += first.ms;
          const answers = await Promise.all(turn.map((each, n) => carryOut(each, nodes[n % nodes.length]!, now)));
          states = distinct(states.flatMap((state) => explanations(state, turn, answers, now)));
          if (states.length === 0) {
            throw new Error(`no order of these calls explains the answers: ${JSON.stringify([turn, answers])}`);
          }
        }
      } finally {
        await closed(nodes);
      }
    }
  });
}

interface Model {
  readonly pending: ReadonlyMap<string, PendingAck>;
  readonly totals: Omit<AckTotals, 'pending'>;
}

const EMPTY: Model = { pending: new Map(), totals: { tracked: 0, acked: 0, expired: 0, totalLatencyMs: 0 } };

type Operation =
  | { readonly kind: 'track' | 'acknowledge'; readonly refs: readonly AckRef[] }
  | { readonly kind: 'sweep' | 'totals' }
  | { readonly kind: 'wait'; readonly ms: number };

async function carryOut(operation: Operation, store: AckStore, now: number): Promise<unknown> {
  switch (operation.kind) {
    case 'track':
      return store.trackMany(operation.refs.map((each) => pending(each, now)));
    case 'acknowledge':
      return store.acknowledgeMany(operation.refs, now);
    case 'sweep':
      return store.sweep(now);
    case 'totals':
      return store.totals();
    case 'wait':
      return undefined;
  }
}

function nameOf({ tenant, user, notification }: AckRef): string {
  return JSON.stringify([tenant, user, notification]);
}

function counting(totals: Model['totals'], added: Partial<Model['totals']>): Model['totals'] {
  return {
    tracked: totals.tracked + (added.tracked ?? 0),
    acked: totals.acked + (added.acked ?? 0),
    expired: totals.expired + (added.expired ?? 0),
    totalLatencyMs: totals.totalLatencyMs + (added.totalLatencyMs ?? 0),
  };
}

function apply(model: Model, operation: Operation, now: number): { answer: unknown; next: Model } {
  const open = new Map(model.pending);
  let { totals } = model;
  switch (operation.kind) {
    case 'track': {
      let [fresh, renewed] = [0, 0];
      for (const each of operation.refs) {
        const known = open.get(nameOf(each));
        if (known !== undefined && known.expiresAt > now) continue;
        totals = counting(totals, { tracked: 1, expired: known === undefined ? 0 : 1 });
        open.set(nameOf(each), pending(each, now));
        fresh++;
        if (known !== undefined) renewed++;
      }
      return { answer: { fresh, renewed }, next: { pending: open, totals } };
    }
    case 'acknowledge': {
      const outcomes = operation.refs.map((each): AckOutcome => {
        const known = open.get(nameOf(each));
        if (known === undefined) return { kind: 'unknown' };
        open.delete(nameOf(each));
        const isLate = known.expiresAt <= now;
        const latencyMs = now - known.sentAt;
        totals = counting(totals, isLate ? { expired: 1 } : { acked: 1, totalLatencyMs: latencyMs });
        return isLate ? { kind: 'late' } : { kind: 'acked', latencyMs };
      });
      return { answer: outcomes, next: { pending: open, totals } };
    }
    case 'sweep': {
      const over = [...open].filter(([, { expiresAt }]) => expiresAt <= now);
      for (const [name] of over) open.delete(name);
      return { answer: over.length, next: { pending: open, totals: counting(totals, { expired: over.length }) } };
    }
    case 'totals': {
      const { tracked, acked, expired, totalLatencyMs } = totals;
      return { answer: { tracked, acked, expired, pending: open.size, totalLatencyMs }, next: model };
    }
    case 'wait':
      return { answer: undefined, next: model };
  }
}

/** The states in which calls made at the same time may leave the store, given what they answered. */
function explanations(
  state: Model,
  turn: readonly Operation[],
  answers: readonly unknown[],
  now: number,
): readonly Model[] {
  if (turn.length === 0) return [state];
  return turn.flatMap((operation, n) => {
    const { answer, next } = apply(state, operation, now);
    if (JSON.stringify(answer) !== JSON.stringify(answers[n])) return [];
    return explanations(next, turn.toSpliced(n, 1), answers.toSpliced(n, 1), now);
  });
}

function distinct(states: readonly Model[]): Model[] {
  const fingerprint = ({ pending: open, totals }: Model): string =>
    JSON.stringify([[...open].sort(([a], [b]) => (a < b ? -1 : 1)), totals]);
  return [...new Map(states.map((state) => [fingerprint(state), state])).values()];
}

const anyRef = fc.tuple(fc.integer({ min: 0, max: 2 }), fc.constantFrom('alice', 'bob')).map(([n, u]) => ref(n, u));
const anyRefs = fc.array(anyRef, { minLength: 1, maxLength: 4 });
/** Of one user, whose records every medium keeps in one place: calls on them are atomic. */
const refsOfAlice = fc.array(
  fc.integer({ min: 0, max: 2 }).map((n) => ref(n)),
  { minLength: 1, maxLength: 4 },
);
const tracking = (refs: fc.Arbitrary<AckRef[]>) => fc.record({ kind: fc.constant('track' as const), refs });
const acknowledging = (refs: fc.Arbitrary<AckRef[]>) => fc.record({ kind: fc.constant('acknowledge' as const), refs });

/** What happens at one moment: one thing, or calls from several nodes at once. */
const anyTurn: fc.Arbitrary<readonly Operation[]> = fc.oneof(
  fc
    .oneof<fc.Arbitrary<Operation>[]>(
      tracking(anyRefs),
      acknowledging(anyRefs),
      fc.record({ kind: fc.constantFrom('sweep' as const, 'totals' as const) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 1000, 15_000, TIMEOUT_MS) }),
    )
    .map((operation) => [operation]),
  fc.array(fc.oneof<fc.Arbitrary<Operation>[]>(tracking(refsOfAlice), acknowledging(refsOfAlice)), {
    minLength: 2,
    maxLength: 4,
  }),
);

async function opened(make: MakeAckStores): Promise<readonly [AckStore, ...AckStore[]]> {
  const stores = await make();
  await Promise.all(stores.map((store) => store.open()));
  return stores;
}

async function closed(stores: readonly AckStore[]): Promise<void> {
  await Promise.all(stores.map((store) => store.close()));
}
