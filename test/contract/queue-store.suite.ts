import fc from 'fast-check';
import type { NotificationId, TenantId, UserId } from '../../src/notification/ids';
import { PRIORITIES } from '../../src/notification/priority';
import {
  type Append,
  DEDUPE_SECONDS,
  type EntryBody,
  type EntryRef,
  IN_FLIGHT_SECONDS,
  type Position,
  type QueueStore,
  type StoredEntry,
  type StreamKey,
} from '../../src/queue/queue-store';
import { MODEL_MS, MODEL_RUN } from './model-run';
import * as model from './queue-store.model';

const T0 = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const CAP = 100;

export interface QueueStoreSetting {
  /**
   * Several stores over the same, empty data, as several nodes would have: not opened yet. Called for each test and each
   * run of the model, so it should be quick.
   */
  readonly make: () => Promise<readonly [QueueStore, ...QueueStore[]]>;
  /** False for a medium that keeps users in places without a common transaction: concurrent calls are then left out. */
  readonly isAtomicAcrossUsers?: boolean;
}

const tenant = 'acme' as TenantId;

function user(name: string | number): UserId {
  return `user-${name}` as UserId;
}

function id(n: number): NotificationId {
  return `01890000-0000-7000-8000-${n.toString(16).padStart(12, '0')}` as NotificationId;
}

function body(n: number, rest: Partial<EntryBody> = {}): EntryBody {
  return { id: id(n), priority: 'Normal', expiresAt: T0 + 3_600_000, json: `{"n":${n}}`, ...rest };
}

function toUsers(users: readonly UserId[], entry: EntryBody, rest: Partial<Append> = {}): Append {
  return { tenant, users, body: entry, present: new Set(), ...rest };
}

function ids(entries: readonly StoredEntry[]): NotificationId[] {
  return entries.map((entry) => entry.id);
}

const alice: StreamKey = { tenant, user: user('alice') };
const bob: StreamKey = { tenant, user: user('bob') };

function ref(n: number, stream: StreamKey = alice): EntryRef {
  return { ...stream, id: id(n) };
}

/** What every QueueStore promises. */
export function describeQueueStore(name: string, { make, isAtomicAcrossUsers = true }: QueueStoreSetting): void {
  describe(`QueueStore: ${name}`, () => {
    let stores: readonly [QueueStore, ...QueueStore[]];
    let store: QueueStore;

    beforeEach(async () => {
      stores = await opened(make);
      store = stores[0];
    });

    afterEach(() => closed(stores));

    const put = (n: number, rest: Partial<EntryBody> = {}, more: Partial<Append> = {}, cap = CAP, now = T0) =>
      store.append([toUsers([alice.user], body(n, rest), more)], cap, now);
    const readAll = (stream: StreamKey = alice, now = T0) => store.readAfter(stream, undefined, 1000, now);

    describe('append and read', () => {
      it('gives back an entry byte for byte, undelivered', async () => {
        const json = '{"a":1.0,"big":12345678901234567890,"text":"訂單 😀 \\u0000 \\ud800 \\" \\n"}';
        for (const [n, priority] of PRIORITIES.entries()) await put(n, { json, priority });
        const entries = await readAll();
        expect(entries).toEqual(
          PRIORITIES.map((priority, n) => ({
            ...body(n, { json, priority }),
            deliveries: 0,
            position: expect.any(String) as Position,
          })),
        );
      });

      it('keeps the largest frame', async () => {
        const json = JSON.stringify('😀'.repeat(64 * 1024));
        await put(1, { json });
        expect((await readAll())[0]?.json).toBe(json);
      });

      it('keeps one notification for many users, and each has a copy of their own', async () => {
        const users = Array.from({ length: 500 }, (_, n) => user(n));
        expect(await store.append([toUsers(users, body(1))], CAP, T0)).toEqual([{ kind: 'stored', dropped: 0 }]);
        expect(await store.commit([{ tenant, user: user(7), id: id(1) }])).toBe(1);
        const kept = await store.readMany(
          users.map((each) => ({ tenant, user: each })),
          10,
          T0,
        );
        expect(kept).toHaveLength(499);
        expect(new Set(kept.map(({ stream }) => stream.user)).has(user(7))).toBe(false);
        expect(await store.size(T0)).toEqual({ messages: 499, users: 499 });
      });

      it('takes nothing, and answers nothing', async () => {
        expect(await store.append([], CAP, T0)).toEqual([]);
        expect(await store.append([toUsers([], body(1))], CAP, T0)).toEqual([{ kind: 'stored', dropped: 0 }]);
        expect(await store.readMany([], 10, T0)).toEqual([]);
        expect(await store.commit([])).toBe(0);
        expect(await store.recordDelivery([], 5)).toBe(0);
      });

      it('stores more in one call than the medium takes in one round trip, in order', async () => {
        const appends = Array.from({ length: 1203 }, (_, n) => toUsers([alice.user, bob.user], body(n)));
        await store.append(appends, 2000, T0);
        const expected = appends.map((each) => each.body.id);
        expect(ids(await store.readAfter(alice, undefined, 2000, T0))).toEqual(expected);
        expect(ids(await store.readAfter(bob, undefined, 2000, T0))).toEqual(expected);
      });

      it('keeps streams apart whatever their names hold', async () => {
        const names = ['', ':', 'a:b', 'a', '{a}', '}{', '%3A', '*', 'A', '訂單', '😀', ' ', '\n', 'x'.repeat(255)];
        const tenants = ['default', 'a', 'a.b', 'Ä', '订'];
        const keys = tenants.flatMap((t) => names.map((u) => ({ tenant: t as TenantId, user: u as UserId })));
        await store.append(
          keys.map((key, n) => ({ ...key, users: [key.user], body: body(n), present: new Set<number>() })),
          CAP,
          T0,
        );
        for (const [n, key] of keys.entries()) expect(ids(await readAll(key))).toEqual([id(n)]);
      });

      it('changes nothing when a stream holds the id already', async () => {
        await put(1, { json: '"first"' });
        await put(2);
        const [first] = await readAll();
        await put(1, { json: '"second"', priority: 'Critical' });
        const entries = await readAll();
        expect(ids(entries)).toEqual([id(1), id(2)]);
        expect(entries[0]).toEqual(first);
      });

      it('pages by position, and a cursor outlives its entry', async () => {
        await store.append(
          Array.from({ length: 10 }, (_, n) => toUsers([alice.user], body(n))),
          CAP,
          T0,
        );
        const page = await store.readAfter(alice, undefined, 4, T0);
        expect(ids(page)).toEqual([0, 1, 2, 3].map(id));
        await store.commit([0, 1, 2, 3, 5].map((n) => ref(n)));
        const rest = await store.readAfter(alice, page[3]?.position, 4, T0);
        expect(ids(rest)).toEqual([4, 6, 7, 8].map(id));
        expect(ids(await store.readAfter(alice, rest[3]?.position, 4, T0))).toEqual([id(9)]);
      });

      it('never gives a position twice, not even after a stream was emptied', async () => {
        await put(1);
        const [first] = await readAll();
        await store.commit([ref(1)]);
        await put(2);
        expect(ids(await store.readAfter(alice, first?.position, 10, T0))).toEqual([id(2)]);
      });

      it('reads many streams at once, up to the limit of each, leaving out the empty ones', async () => {
        for (const n of [1, 2, 3]) await put(n);
        await store.append([toUsers([bob.user], body(4))], CAP, T0);
        const found = await store.readMany([bob, { tenant, user: user('nobody') }, alice], 2, T0);
        expect(found.map(({ stream, entries }) => [stream.user, ids(entries)])).toEqual([
          [bob.user, [id(4)]],
          [alice.user, [id(1), id(2)]],
        ]);
      });
    });

    describe('cap', () => {
      it('is exact: the oldest goes and is counted, per user', async () => {
        for (const n of [1, 2, 3]) await put(n, {}, {}, 3);
        expect(await store.append([toUsers([alice.user, bob.user], body(4))], 3, T0)).toEqual([
          { kind: 'stored', dropped: 1 },
        ]);
        expect(ids(await readAll())).toEqual([2, 3, 4].map(id));
        expect(ids(await readAll(bob))).toEqual([id(4)]);
      });

      it('shrinks a stream at the next append when it was lowered', async () => {
        for (const n of [1, 2, 3, 4]) await put(n);
        expect(await put(5, {}, {}, 2)).toEqual([{ kind: 'stored', dropped: 3 }]);
        expect(ids(await readAll())).toEqual([4, 5].map(id));
      });

      it('spares entries in flight while it can, and does not count them as dropped', async () => {
        await put(1, {}, { present: new Set([0]) }, 2);
        await put(2, {}, {}, 2);
        expect(await put(3, {}, { present: new Set([0]) }, 2)).toEqual([{ kind: 'stored', dropped: 1 }]);
        expect(ids(await readAll())).toEqual([1, 3].map(id));
        expect(await put(4, {}, {}, 2)).toEqual([{ kind: 'stored', dropped: 0 }]);
        expect(ids(await readAll())).toEqual([3, 4].map(id));
      });

      it('treats an entry like any other when its time in flight is over', async () => {
        await put(1, {}, { present: new Set([0]) }, 2);
        await put(2, {}, {}, 2);
        expect(await put(3, {}, {}, 2, T0 + IN_FLIGHT_SECONDS * 1000)).toEqual([{ kind: 'stored', dropped: 1 }]);
        expect(ids(await readAll())).toEqual([2, 3].map(id));
      });

      it('counts only live entries: what has expired makes room without being dropped', async () => {
        await put(1, {}, {}, 2);
        await put(2, { expiresAt: T0 + 10 }, {}, 2);
        expect(await put(3, {}, {}, 2, T0 + 10)).toEqual([{ kind: 'stored', dropped: 0 }]);
        expect(ids(await readAll(alice, T0 + 10))).toEqual([1, 3].map(id));
        expect(await store.sweep(T0 + 10)).toBe(1);
      });
    });

    describe('dedupe key', () => {
      it('lets one of many claimants store', async () => {
        const claimants = Array.from({ length: 20 }, (_, n) => {
          const own = toUsers([alice.user, bob.user], body(n), { dedupeKey: 'order 7' });
          return stores[n % stores.length]!.append([own], CAP, T0);
        });
        const outcomes = (await Promise.all(claimants)).flat();
        expect(outcomes.filter(({ kind }) => kind === 'stored')).toHaveLength(1);
        const winner = outcomes.findIndex(({ kind }) => kind === 'stored');
        expect(ids(await readAll())).toEqual([id(winner)]);
        expect(ids(await readAll(bob))).toEqual([id(winner)]);
      });

      it('is seen within one call, by tenant, and for other users too', async () => {
        const dedupeKey = 'x';
        const outcomes = await store.append(
          [
            toUsers([alice.user], body(1), { dedupeKey }),
            toUsers([alice.user], body(2), { dedupeKey }),
            toUsers([bob.user], body(3), { dedupeKey }),
            toUsers([alice.user], body(4), { dedupeKey, tenant: 'other' as TenantId }),
            toUsers([alice.user], body(5)),
          ],
          CAP,
          T0,
        );
        expect(outcomes.map(({ kind }) => kind)).toEqual(['stored', 'duplicate', 'duplicate', 'stored', 'stored']);
        expect(ids(await readAll())).toEqual([1, 5].map(id));
      });

      it('outlives the commit and is forgotten after its time', async () => {
        const again = (n: number, now: number) => put(n, {}, { dedupeKey: 'k' }, CAP, now);
        await again(1, T0);
        await store.commit([ref(1)]);
        expect(await again(2, T0 + DEDUPE_SECONDS * 1000 - 1)).toEqual([{ kind: 'duplicate' }]);
        expect(await again(3, T0 + DEDUPE_SECONDS * 1000)).toEqual([{ kind: 'stored', dropped: 0 }]);
      });
    });

    describe('commit and deliveries', () => {
      it('commits what is there, says how much that was, and ignores the rest', async () => {
        for (const n of [1, 2, 3]) await put(n);
        expect(await store.commit([ref(2), ref(2), ref(9), ref(1, bob)])).toBe(1);
        expect(ids(await readAll())).toEqual([1, 3].map(id));
        expect(await store.commit([ref(1), ref(3)])).toBe(2);
        expect(await store.size(T0)).toEqual({ messages: 0, users: 0 });
      });

      it('counts connections and gives an entry up at the limit', async () => {
        await put(1);
        await put(2);
        expect(await store.recordDelivery([ref(1), ref(1), ref(2), ref(3)], 3)).toBe(0);
        expect((await readAll()).map(({ deliveries }) => deliveries)).toEqual([2, 1]);
        expect(await store.recordDelivery([ref(1)], 3)).toBe(1);
        expect(ids(await readAll())).toEqual([id(2)]);
        expect(await store.size(T0)).toEqual({ messages: 1, users: 1 });
      });
    });

    describe('expiry', () => {
      it('hides an entry from the moment it expires, and a sweep removes and counts it once', async () => {
        await put(1, { expiresAt: T0 + 1000 });
        await put(2, { expiresAt: T0 + 2000 });
        expect(ids(await readAll(alice, T0 + 999))).toEqual([1, 2].map(id));
        expect(ids(await readAll(alice, T0 + 1000))).toEqual([id(2)]);
        expect(await store.readMany([alice], 1, T0 + 1000)).toEqual([{ stream: alice, entries: [expect.anything()] }]);
        expect(await store.sweep(T0 + 1000)).toBe(1);
        expect(await store.sweep(T0 + 1000)).toBe(0);
        expect(await store.size(T0 + 1000)).toEqual({ messages: 1, users: 1 });
        expect(await store.sweep(T0 + 2000)).toBe(1);
        expect(await store.size(T0 + 2000)).toEqual({ messages: 0, users: 0 });
      });

      it('is per entry: a late one may expire before an early one, and reading fills its page past it', async () => {
        await put(1);
        for (let n = 2; n < 60; n++) await put(n, { expiresAt: T0 + 5 });
        await put(60);
        expect(ids(await store.readAfter(alice, undefined, 2, T0 + 5))).toEqual([1, 60].map(id));
        expect(await store.sweep(T0 + 5)).toBe(58);
      });

      it('sweeps thousands of streams', async () => {
        const users = Array.from({ length: 3000 }, (_, n) => user(n));
        for (let at = 0; at < users.length; at += 500) {
          await store.append([toUsers(users.slice(at, at + 500), body(1, { expiresAt: T0 + 1 }))], CAP, T0);
        }
        expect(await store.sweep(T0 + 1)).toBe(3000);
        expect(await store.size(T0 + 1)).toEqual({ messages: 0, users: 0 });
      });
    });

    it('closes twice without harm', async () => {
      await store.close();
      await store.close();
    });

    it(
      'behaves like the model, whatever the order of operations',
      async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.integer({ min: 1, max: 4 }),
            fc.array(turn(isAtomicAcrossUsers), { maxLength: 25, size: 'max' }),
            agreement,
          ),
          MODEL_RUN,
        );
      },
      MODEL_MS + 60_000,
    );

    async function agreement(cap: number, turns: readonly (readonly Operation[])[]): Promise<void> {
      const nodes = await opened(make);
      try {
        let now = T0;
        let states: readonly model.QueueModel[] = [model.EMPTY_QUEUE];
        for (const operations of turns) {
          const calls = operations.map((operation) => operation(cap, now));
          now += calls.reduce((sum, call) => sum + call.passes, 0);
          const answers = await Promise.all(calls.map((call, n) => call.run(nodes[n % nodes.length]!)));
          states = distinct(states.flatMap((state) => explanations(state, calls, answers)));
          if (states.length === 0) {
            throw new Error(`no order of these calls explains the answers: ${JSON.stringify([calls, answers])}`);
          }
        }
      } finally {
        await closed(nodes);
      }
    }
  });
}

/** One call, at a time: how to make it, and how the model would answer it. */
interface Call {
  readonly what: unknown;
  readonly passes: number;
  readonly run: (store: QueueStore) => Promise<unknown>;
  readonly explain: (state: model.QueueModel, answer: unknown) => readonly model.QueueModel[];
}

type Operation = (cap: number, now: number) => Call;

/** The states in which calls made at the same time may leave the store, given what they answered. */
function explanations(
  state: model.QueueModel,
  calls: readonly Call[],
  answers: readonly unknown[],
): readonly model.QueueModel[] {
  if (calls.length === 0) return [state];
  return calls.flatMap((call, n) =>
    call
      .explain(state, answers[n])
      .flatMap((next) => explanations(next, calls.toSpliced(n, 1), answers.toSpliced(n, 1))),
  );
}

function distinct(states: readonly model.QueueModel[]): model.QueueModel[] {
  return [...new Map(states.map((state) => [model.fingerprint(state), state])).values()];
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function branching<Answer>(branches: readonly model.Branch<Answer>[], answer: unknown): readonly model.QueueModel[] {
  return branches.filter((branch) => isSame(branch.answer, answer)).map(({ next }) => next);
}

function shown(entries: readonly StoredEntry[]): unknown {
  return entries.map(({ id: entryId, priority, expiresAt, json, deliveries }) => ({
    id: entryId,
    priority,
    expiresAt,
    json,
    deliveries,
  }));
}

const anyUser = fc.integer({ min: 0, max: 2 }).map(user);
const anyStream = anyUser.map((each): StreamKey => ({ tenant, user: each }));
const anyId = fc.integer({ min: 0, max: 7 });
const anyRefs = fc.array(
  fc.tuple(anyStream, anyId).map(([stream, n]) => ref(n, stream)),
  { minLength: 1, maxLength: 4 },
);
const anyAppend = fc.record({
  users: fc.uniqueArray(anyUser, { minLength: 1, maxLength: 3 }),
  n: anyId,
  life: fc.constantFrom(1, 1000, 6000, 200_000),
  present: fc.array(fc.integer({ min: 0, max: 2 })),
  dedupeKey: fc.option(fc.constantFrom('a', 'b'), { nil: undefined, freq: 3 }),
});

const appending = fc.array(anyAppend, { minLength: 1, maxLength: 3 }).map((drafts): Operation => (cap, now) => {
  const appends = drafts.map(({ users, n, life, present, dedupeKey }) =>
    toUsers(users, body(n, { expiresAt: now + life }), {
      present: new Set(present),
      ...(dedupeKey === undefined ? {} : { dedupeKey }),
    }),
  );
  return {
    what: { append: drafts, cap, now },
    passes: 0,
    run: (store) => store.append(appends, cap, now),
    explain: (state, answer) => branching([model.append(state, appends, cap, now)], answer),
  };
});

const reading = fc
  .tuple(anyStream, fc.integer({ min: 1, max: 5 }))
  .map(([stream, limit]): Operation => (_cap, now) => ({
    what: { read: stream, limit, now },
    passes: 0,
    run: async (store) => shown(await store.readAfter(stream, undefined, limit, now)),
    explain: (state, answer) => (isSame(model.read(state, stream, limit, now), answer) ? [state] : []),
  }));

const readingMany = fc.integer({ min: 1, max: 5 }).map((limit): Operation => (_cap, now) => {
  const streams = [2, 0, 1].map((n): StreamKey => ({ tenant, user: user(n) }));
  return {
    what: { readMany: limit, now },
    passes: 0,
    run: async (store) =>
      (await store.readMany(streams, limit, now)).map(({ stream, entries }) => [stream.user, shown(entries)]),
    explain: (state, answer) => {
      const all = streams.map((stream) => [stream.user, model.read(state, stream, limit, now)] as const);
      return isSame(
        all.filter(([, entries]) => entries.length > 0),
        answer,
      )
        ? [state]
        : [];
    },
  };
});

/** Not one call, so only for a turn of its own. */
const paging = fc.tuple(anyStream, fc.integer({ min: 1, max: 2 })).map(([stream, limit]): Operation => (_cap, now) => ({
  what: { page: stream, limit, now },
  passes: 0,
  run: async (store) => {
    const all: StoredEntry[] = [];
    let page: readonly StoredEntry[];
    do {
      page = await store.readAfter(stream, all.at(-1)?.position, limit, now);
      all.push(...page);
    } while (page.length > 0);
    return shown(all);
  },
  explain: (state, answer) => (isSame(model.read(state, stream, Infinity, now), answer) ? [state] : []),
}));

const committing = anyRefs.map((refs): Operation => (_cap, now) => ({
  what: { commit: refs, now },
  passes: 0,
  run: (store) => store.commit(refs),
  explain: (state, answer) => branching(model.commit(state, refs, now), answer),
}));

const delivering = fc.tuple(anyRefs, fc.integer({ min: 1, max: 3 })).map(([refs, max]): Operation => (_cap, now) => ({
  what: { deliver: refs, max, now },
  passes: 0,
  run: (store) => store.recordDelivery(refs, max),
  explain: (state, answer) => branching(model.recordDelivery(state, refs, max, now), answer),
}));

const sweeping = fc.constant<Operation>((_cap, now) => ({
  what: { sweep: now },
  passes: 0,
  run: (store) => store.sweep(now),
  explain: (state, answer) => branching([model.sweep(state, now)], answer),
}));

const sizing = fc.constant<Operation>((_cap, now) => ({
  what: { size: now },
  passes: 0,
  run: (store) => store.size(now),
  explain: (state, answer) => {
    const { messages, users } = answer as { messages: number; users: number };
    const { live, held, users: few, usersHeld: many } = model.size(state, now);
    return messages >= live && messages <= held && users >= few && users <= many ? [state] : [];
  },
}));

const waiting = fc.constantFrom(1, 1000, 5000, 60_000, 120_000).map((ms): Operation => () => ({
  what: { wait: ms },
  passes: ms,
  run: () => Promise.resolve(),
  explain: (state) => [state],
}));

/** What happens at one moment: one thing, or calls from several nodes at once. */
function turn(isConcurrent: boolean): fc.Arbitrary<readonly Operation[]> {
  const alone = fc
    .oneof(
      { arbitrary: appending, weight: 6 },
      reading,
      readingMany,
      paging,
      committing,
      delivering,
      sweeping,
      sizing,
      { arbitrary: waiting, weight: 2 },
    )
    .map((operation) => [operation]);
  if (!isConcurrent) return alone;
  const together = fc.array(
    fc.oneof({ arbitrary: appending, weight: 3 }, reading, readingMany, committing, delivering),
    { minLength: 2, maxLength: 4 },
  );
  return fc.oneof({ arbitrary: alone, weight: 3 }, together);
}

async function opened(make: QueueStoreSetting['make']): Promise<readonly [QueueStore, ...QueueStore[]]> {
  const stores = await make();
  await Promise.all(stores.map((store) => store.open()));
  return stores;
}

async function closed(stores: readonly QueueStore[]): Promise<void> {
  await Promise.all(stores.map((store) => store.close()));
}
