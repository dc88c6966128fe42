import type { Delivery, DeliveryReport } from '../notification/delivery';
import { addressedChannel, DEFAULT_TENANT, parseNotificationId, parseUserId, type UserId } from '../notification/ids';
import type { Target } from '../notification/target';
import { toRawJson } from '../protocol/raw-json';
import { runBatch, summarize, type BatchDoor, type BatchItem, type BatchOptions } from './batch-runner';
import type { BatchItemResult } from './dto/batch.dto';

const NIL = '00000000-0000-0000-0000-000000000000';
const PLAIN: BatchOptions = { stopOnError: false, deduplicate: false, atomic: false };

const user = (id: string): UserId => parseUserId(id)!;
const toUser = (id: string): Target => ({ kind: 'user', user: user(id) });
const toUsers = (...ids: string[]): Target => ({ kind: 'users', users: ids.map(user) });
const toChannel = (name: string): Target => ({ kind: 'channel', channel: addressedChannel(name) });
const toChannels = (...names: string[]): Target => ({ kind: 'channels', channels: names.map(addressedChannel) });
const BROADCAST: Target = { kind: 'broadcast' };

let serial = 0;
function delivery(
  target: Target,
  { eventType = 'e', ttlSeconds }: { eventType?: string; ttlSeconds?: number } = {},
): Delivery {
  const id = parseNotificationId(`00000000-0000-7000-8000-${String(++serial).padStart(12, '0')}`)!;
  return {
    tenant: DEFAULT_TENANT,
    target,
    notification: {
      id,
      occurredAt: 1000,
      eventType,
      payload: toRawJson(serial),
      priority: 'Normal',
      source: 'http-api',
      ...(ttlSeconds !== undefined && { ttlSeconds }),
    },
  };
}

const item =
  (target: Target, options?: Parameters<typeof delivery>[1]): BatchItem =>
  () =>
    Promise.resolve(delivery(target, options));
const wrong =
  (message: string): BatchItem =>
  () =>
    Promise.reject(new Error(message));

/** Reaches who is named here, with one connection each. */
function door(present: string[], overrides: Partial<BatchDoor> = {}) {
  const sent: Delivery[] = [];
  const reaches = (target: Target): number => {
    switch (target.kind) {
      case 'user':
        return present.includes(target.user) ? 1 : 0;
      case 'users':
        return target.users.filter((id) => present.includes(id)).length;
      case 'broadcast':
        return present.length;
      case 'channel':
        return present.includes(`#${target.channel}`) ? 1 : 0;
      case 'channels':
        return target.channels.filter((name) => present.includes(`#${name}`)).length;
    }
  };
  const dispatch = (one: Delivery): Promise<DeliveryReport> => {
    sent.push(one);
    const expired = one.notification.ttlSeconds === 0;
    return Promise.resolve({
      id: one.notification.id,
      deliveredTo: expired ? 0 : reaches(one.target),
      failed: 0,
      queuedCount: 0,
      durable: false,
      duplicate: false,
      expired,
    });
  };
  const made: BatchDoor = {
    dispatch,
    dispatchAtomically: (all) => Promise.all(all.map(dispatch)),
    isDeliverable: (_, target) => Promise.resolve(reaches(target) > 0),
    errorText: (error) => (error as Error).message,
    ...overrides,
  };
  return { sent, made };
}

const brief = (results: BatchItemResult[]): unknown[] =>
  results.map(({ success, skipped, queued, error }) => [success, skipped ?? false, queued ?? false, error ?? '']);

describe('a batch', () => {
  it('dispatches in order and says of each item what became of it', async () => {
    const { sent, made } = door(['ann', '#news']);
    const results = await runBatch(
      [
        item(toUser('ann')),
        item(toUser('bob')),
        item(toChannel('none')),
        wrong('Template not found: t'),
        item(BROADCAST),
      ],
      PLAIN,
      made,
    );
    expect(brief(results)).toEqual([
      [true, false, false, ''],
      [false, false, false, 'User not connected'],
      [false, false, false, 'Channel not found'],
      [false, false, false, 'Template not found: t'],
      [true, false, false, ''],
    ]);
    expect(results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(results[0]?.notification_id).toBe(sent[0]?.notification.id);
    expect(results[1]?.notification_id).toBe(sent[1]?.notification.id);
    expect(results[3]?.notification_id).toBe(NIL);
    expect(summarize(results)).toEqual({ total: 5, succeeded: 2, failed: 3, skipped: 0, total_delivered: 3 });
  });

  it('names the reason of every kind of target that reached nobody', async () => {
    const { made } = door([]);
    const targets = [toUser('a'), toUsers('a', 'b'), BROADCAST, toChannel('c'), toChannels('c', 'd')];
    const results = await runBatch(
      targets.map((target) => item(target)),
      PLAIN,
      made,
    );
    expect(results.map(({ error }) => error)).toEqual([
      'User not connected',
      'User not connected',
      'No client connected',
      'Channel not found',
      'Channel not found',
    ]);
  });

  it('tells refused connections and expired notifications from absent ones', async () => {
    const { made } = door(['ann']);
    const refused: BatchDoor = {
      ...made,
      dispatch: async (one) => ({ ...(await made.dispatch(one)), deliveredTo: 0, failed: 2 }),
    };
    expect(brief(await runBatch([item(toUser('ann'))], PLAIN, refused))).toEqual([
      [false, false, false, 'No connection accepted it'],
    ]);
    expect(brief(await runBatch([item(toUser('ann'), { ttlSeconds: 0 })], PLAIN, made))).toEqual([
      [false, false, false, 'Notification expired'],
    ]);
  });

  it('counts a queued item as a success that does not stop the batch', async () => {
    const { made } = door(['ann']);
    const queueing: BatchDoor = {
      ...made,
      dispatch: async (one) => {
        const report = await made.dispatch(one);
        return report.deliveredTo > 0 ? report : { ...report, queuedCount: 1 };
      },
    };
    const results = await runBatch(
      [item(toUser('bob')), item(toUser('ann'))],
      { ...PLAIN, stopOnError: true },
      queueing,
    );
    expect(brief(results)).toEqual([
      [true, false, true, ''],
      [true, false, false, ''],
    ]);
  });

  it('says of an item that a durable store took it, and of others nothing', async () => {
    const { made } = door(['ann']);
    const storing: BatchDoor = {
      ...made,
      dispatch: async (one) => ({ ...(await made.dispatch(one)), durable: one.target.kind === 'user' }),
    };
    const results = await runBatch([item(toUser('ann')), item(BROADCAST)], PLAIN, storing);
    expect(results.map((result) => ['durable' in result, result.durable])).toEqual([
      [true, true],
      [false, undefined],
    ]);
  });

  it('keeps the id of an item that the store refused: it may still arrive', async () => {
    const { made } = door([], { dispatch: () => Promise.reject(new Error('Queue unavailable')) });
    const [result] = await runBatch([item(toUser('ann'))], PLAIN, made);
    expect(result).toMatchObject({ success: false, error: 'Queue unavailable' });
    expect(result?.notification_id).not.toBe(NIL);
  });

  describe('with stop_on_error', () => {
    it.each([
      ['an undelivered item', item(toUser('bob'))],
      ['an item that could not be made', wrong('Template not found: t')],
    ])('skips everything after %s and lists it', async (_, culprit) => {
      const { sent, made } = door(['ann']);
      const results = await runBatch(
        [item(toUser('ann')), culprit, item(toUser('ann')), wrong('never looked at')],
        { ...PLAIN, stopOnError: true },
        made,
      );
      expect(brief(results).slice(2)).toEqual([
        [false, true, false, 'Skipped due to stop_on_error'],
        [false, true, false, 'Skipped due to stop_on_error'],
      ]);
      expect(results[2]).toMatchObject({ index: 2, notification_id: NIL, delivered_to: 0, failed: 0 });
      expect(sent.every(({ target }) => target.kind === 'user')).toBe(true);
      expect(summarize(results)).toEqual({ total: 4, succeeded: 1, failed: 1, skipped: 2, total_delivered: 1 });
    });
  });

  describe('with deduplicate', () => {
    const dedupe = { ...PLAIN, deduplicate: true };

    it('skips what has the target and event type of an earlier item, in any order of its list', async () => {
      const { sent, made } = door(['a', 'b', 'c', '#x', '#y']);
      const results = await runBatch(
        [
          item(toUsers('b', 'a')),
          item(toUsers('a', 'b')),
          item(BROADCAST),
          item(BROADCAST),
          item(toChannels('x', 'y')),
          item(toChannels('y', 'x')),
        ],
        dedupe,
        made,
      );
      expect(brief(results)).toEqual([
        [true, false, false, ''],
        [true, true, false, ''],
        [true, false, false, ''],
        [true, true, false, ''],
        [true, false, false, ''],
        [true, true, false, ''],
      ]);
      expect(results[1]).toEqual({
        index: 1,
        notification_id: NIL,
        delivered_to: 0,
        failed: 0,
        success: true,
        skipped: true,
      });
      expect(sent).toHaveLength(3);
      expect(summarize(results)).toMatchObject({ succeeded: 3, skipped: 3, failed: 0 });
    });

    it('tells apart other event types, other kinds of target, and lists that only look alike', async () => {
      const { sent, made } = door(['x']);
      await runBatch(
        [
          item(toUser('x')),
          item(toUser('x'), { eventType: 'f' }),
          item(toUsers('x')),
          item(toChannel('x')),
          item(toUsers('x', 'y')),
          item(toUsers('x,y')),
          item(toUsers('x","y')),
        ],
        dedupe,
        made,
      );
      expect(sent).toHaveLength(7);
    });

    it('does not remember items that could not be made, and does remember undelivered ones', async () => {
      const { sent, made } = door([]);
      const results = await runBatch([wrong('no'), item(toUser('a')), item(toUser('a'))], dedupe, made);
      expect(sent).toHaveLength(1);
      expect(brief(results)[2]).toEqual([true, true, false, '']);
    });
  });

  describe('that is atomic', () => {
    const atomic = { ...PLAIN, atomic: true };

    it('sends everything when everything can be sent', async () => {
      const { sent, made } = door(['a', 'b']);
      const results = await runBatch([item(toUser('a')), item(toUser('b'))], atomic, made);
      expect(sent).toHaveLength(2);
      expect(summarize(results)).toMatchObject({ succeeded: 2, failed: 0 });
      expect(results.map(({ notification_id }) => notification_id)).toEqual(sent.map((one) => one.notification.id));
    });

    it.each([
      ['nobody there', item(toUser('bob')), 'User not connected'],
      ['a wrong template', wrong('Template not found: t'), 'Template not found: t'],
      ['a life that is over', item(toUser('a'), { eventType: 'z', ttlSeconds: 0 }), 'Notification expired'],
    ])('sends nothing at all with %s', async (_, culprit, error) => {
      const { sent, made } = door(['a']);
      const results = await runBatch(
        [item(toUser('a')), culprit, item(toUser('a'))],
        { ...atomic, deduplicate: true, stopOnError: true },
        made,
      );
      expect(sent).toEqual([]);
      expect(brief(results)).toEqual([
        [false, false, false, 'Aborted: atomic batch'],
        [false, false, false, error],
        [false, false, false, 'Aborted: atomic batch'],
      ]);
      expect(summarize(results)).toEqual({ total: 3, succeeded: 0, failed: 3, skipped: 0, total_delivered: 0 });
    });

    it('leaves repeated items out and keeps the results in their places', async () => {
      const { sent, made } = door(['a', 'b']);
      const results = await runBatch(
        [item(toUser('a')), item(toUser('a')), item(toUser('b'))],
        { ...atomic, deduplicate: true },
        made,
      );
      expect(sent).toHaveLength(2);
      expect(brief(results)).toEqual([
        [true, false, false, ''],
        [true, true, false, ''],
        [true, false, false, ''],
      ]);
      expect(results[2]?.notification_id).toBe(sent[1]?.notification.id);
    });

    it('fails as a whole when the store cannot take it', async () => {
      const { made } = door(['a'], { dispatchAtomically: () => Promise.reject(new Error('Queue unavailable')) });
      const results = await runBatch([item(toUser('a')), item(BROADCAST)], atomic, made);
      expect(brief(results)).toEqual([
        [false, false, false, 'Queue unavailable'],
        [false, false, false, 'Queue unavailable'],
      ]);
    });
  });
});
