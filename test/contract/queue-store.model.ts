import {
  type Append,
  type AppendOutcome,
  DEDUPE_SECONDS,
  type EntryBody,
  type EntryRef,
  IN_FLIGHT_SECONDS,
  type StoredEntry,
  type StreamKey,
} from '../../src/queue/queue-store';

interface Held {
  readonly body: EntryBody;
  readonly inFlightUntil: number;
  readonly deliveries: number;
}

/**
 * The state of a queue store, as plain as it can be: lists, copied at every step. `expired` holds what nobody can read
 * any more and no sweep has counted yet; how long a store keeps such an entry is its own affair.
 */
export interface QueueModel {
  readonly streams: ReadonlyMap<string, readonly Held[]>;
  readonly expired: readonly { readonly stream: string; readonly id: string }[];
  readonly claims: ReadonlyMap<string, number>;
}

export const EMPTY_QUEUE: QueueModel = { streams: new Map(), expired: [], claims: new Map() };

/** One way in which an operation may come out: what it answers, and what then is. */
export interface Branch<Answer> {
  readonly answer: Answer;
  readonly next: QueueModel;
}

export function streamName({ tenant, user }: StreamKey): string {
  return JSON.stringify([tenant, user]);
}

export function append(
  model: QueueModel,
  appends: readonly Append[],
  cap: number,
  now: number,
): Branch<AppendOutcome[]> {
  const answer: AppendOutcome[] = [];
  let next = withExpiry(model, now);
  for (const each of appends) {
    const claim = each.dedupeKey === undefined ? undefined : JSON.stringify([each.tenant, each.dedupeKey]);
    if (claim !== undefined) {
      if ((next.claims.get(claim) ?? 0) > now) {
        answer.push({ kind: 'duplicate' });
        continue;
      }
      next = { ...next, claims: new Map(next.claims).set(claim, now + DEDUPE_SECONDS * 1000) };
    }
    let dropped = 0;
    each.users.forEach((user, index) => {
      const name = streamName({ tenant: each.tenant, user });
      const others = next.streams.get(name) ?? [];
      if (others.some(({ body }) => body.id === each.body.id)) return;
      const inFlightUntil = each.present.has(index) ? now + IN_FLIGHT_SECONDS * 1000 : 0;
      const added: Held = { body: each.body, inFlightUntil, deliveries: 0 };
      const kept = [...others];
      while (kept.length + 1 > cap) {
        const idle = kept.findIndex((held) => held.inFlightUntil <= now);
        if (idle >= 0) dropped++;
        kept.splice(Math.max(idle, 0), 1);
      }
      next = { ...next, streams: new Map(next.streams).set(name, [...kept, added]) };
    });
    answer.push({ kind: 'stored', dropped });
  }
  return { answer, next };
}

/** What a read from the start shows, without positions. */
export function read(
  model: QueueModel,
  stream: StreamKey,
  limit: number,
  now: number,
): Omit<StoredEntry, 'position'>[] {
  const held = withExpiry(model, now).streams.get(streamName(stream)) ?? [];
  return held.slice(0, limit).map(({ body, deliveries }) => ({ ...body, deliveries }));
}

/** A store may or may not still have what has expired, so such a ref has two outcomes. */
export function commit(model: QueueModel, refs: readonly EntryRef[], now: number): Branch<number>[] {
  return refs.reduce<Branch<number>[]>(
    (branches, ref) =>
      branches.flatMap(({ answer, next }) =>
        without(next, ref).map((branch) => ({ answer: answer + branch.answer, next: branch.next })),
      ),
    [{ answer: 0, next: withExpiry(model, now) }],
  );
}

export function recordDelivery(
  model: QueueModel,
  refs: readonly EntryRef[],
  maxDeliveries: number,
  now: number,
): Branch<number>[] {
  return refs.reduce<Branch<number>[]>(
    (branches, ref) =>
      branches.flatMap(({ answer, next }) =>
        delivered(next, ref, maxDeliveries).map((branch) => ({ answer: answer + branch.answer, next: branch.next })),
      ),
    [{ answer: 0, next: withExpiry(model, now) }],
  );
}

export function sweep(model: QueueModel, now: number): Branch<number> {
  const { expired, ...rest } = withExpiry(model, now);
  return { answer: expired.length, next: { ...rest, expired: [] } };
}

/** What must be counted, and what may be. */
export function size(model: QueueModel, now: number): { live: number; held: number; users: number; usersHeld: number } {
  const { streams, expired } = withExpiry(model, now);
  const counts = [...streams].filter(([, held]) => held.length > 0);
  const live = counts.reduce((sum, [, held]) => sum + held.length, 0);
  const usersHeld = new Set([...counts.map(([name]) => name), ...expired.map(({ stream }) => stream)]).size;
  return { live, held: live + expired.length, users: counts.length, usersHeld };
}

/** Equal texts: no operation can tell the two models apart. */
export function fingerprint(model: QueueModel): string {
  const sorted = <T>(entries: Iterable<readonly [string, T]>): (readonly [string, T])[] =>
    [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    sorted(model.streams).filter(([, held]) => held.length > 0),
    model.expired.map((entry) => JSON.stringify(entry)).sort(),
    sorted(model.claims),
  ]);
}

function withExpiry(model: QueueModel, now: number): QueueModel {
  const isOver = ({ body }: Held): boolean => body.expiresAt <= now;
  if (![...model.streams.values()].some((held) => held.some(isOver))) return model;
  const expired = [...model.expired];
  const streams = new Map<string, readonly Held[]>();
  for (const [stream, held] of model.streams) {
    expired.push(...held.filter(isOver).map(({ body }) => ({ stream, id: body.id })));
    streams.set(
      stream,
      held.filter((each) => !isOver(each)),
    );
  }
  return { ...model, streams, expired };
}

function without(model: QueueModel, ref: EntryRef): Branch<number>[] {
  const name = streamName(ref);
  const held = model.streams.get(name) ?? [];
  const kept = held.filter(({ body }) => body.id !== ref.id);
  if (kept.length < held.length) {
    return [{ answer: 1, next: { ...model, streams: new Map(model.streams).set(name, kept) } }];
  }
  const gone = model.expired.findIndex(({ stream, id }) => stream === name && id === ref.id);
  if (gone < 0) return [{ answer: 0, next: model }];
  return [
    { answer: 0, next: model },
    { answer: 1, next: { ...model, expired: model.expired.toSpliced(gone, 1) } },
  ];
}

function delivered(model: QueueModel, ref: EntryRef, maxDeliveries: number): Branch<number>[] {
  const name = streamName(ref);
  const held = model.streams.get(name) ?? [];
  const entry = held.find(({ body }) => body.id === ref.id);
  if (entry !== undefined && entry.deliveries + 1 < maxDeliveries) {
    const counted = held.map((each) => (each === entry ? { ...entry, deliveries: entry.deliveries + 1 } : each));
    return [{ answer: 0, next: { ...model, streams: new Map(model.streams).set(name, counted) } }];
  }
  return without(model, ref);
}
