import { isAccepted, type Delivery, type DeliveryReport } from '../notification/delivery';
import { type Eventual, whenThere } from '../notification/eventual';
import { NIL_NOTIFICATION_ID, type NotificationId } from '../notification/ids';
import { hasExpired } from '../notification/notification';
import type { Target, TenantScope } from '../notification/target';
import type { BatchItemResult, BatchResponse } from './dto/batch.dto';

export interface BatchOptions {
  readonly stopOnError: boolean;
  readonly deduplicate: boolean;
  /** All or none; stopOnError means nothing then. */
  readonly atomic: boolean;
}

/** What a batch asks of the service. */
export interface BatchDoor {
  dispatch(delivery: Delivery): Eventual<DeliveryReport>;
  dispatchAtomically(deliveries: readonly Delivery[]): Promise<DeliveryReport[]>;
  isDeliverable(tenant: TenantScope, target: Target): Promise<boolean>;
  /** What a client is told about a failed item. */
  errorText(error: unknown): string;
}

/** Makes an item's delivery; throws or rejects when its template, variables or lists are wrong. */
export type BatchItem = () => Eventual<Delivery>;

/** One result per item, in their order. Never fails for what is the fault of an item. */
export function runBatch(
  items: readonly BatchItem[],
  options: BatchOptions,
  door: BatchDoor,
): Eventual<BatchItemResult[]> {
  const isRepeat = options.deduplicate ? repeatDetector() : (): boolean => false;
  return options.atomic ? runAtomically(items, isRepeat, door) : runInTurn(items, isRepeat, door, options.stopOnError);
}

/** Counts items; connections only in `total_delivered`. */
export function summarize(results: readonly BatchItemResult[]): BatchResponse['summary'] {
  let [skipped, succeeded, delivered] = [0, 0, 0];
  for (const result of results) {
    if (result.skipped === true) skipped++;
    else if (result.success) succeeded++;
    delivered += result.delivered_to;
  }
  const total = results.length;
  return { total, succeeded, failed: total - succeeded - skipped, skipped, total_delivered: delivered };
}

/** Strictly one after the other; without a turn of the event loop between those that need not be waited for. */
function runInTurn(
  items: readonly BatchItem[],
  isRepeat: (delivery: Delivery) => boolean,
  door: BatchDoor,
  stopOnError: boolean,
): Eventual<BatchItemResult[]> {
  const results: BatchItemResult[] = [];
  let stopped = false;
  const note = (result: BatchItemResult): void => {
    results.push(result);
    stopped ||= stopOnError && !result.success;
  };
  const runFrom = (first: number): Eventual<BatchItemResult[]> => {
    for (let index = first; index < items.length; index++) {
      const item = items[index];
      if (item === undefined) break;
      const result = stopped ? skippedByStop(index) : runItem(index, item, isRepeat, door);
      if (result instanceof Promise) {
        return result.then((late) => {
          note(late);
          return runFrom(index + 1);
        });
      }
      note(result);
    }
    return results;
  };
  return runFrom(0);
}

function runItem(
  index: number,
  item: BatchItem,
  isRepeat: (delivery: Delivery) => boolean,
  door: BatchDoor,
): Eventual<BatchItemResult> {
  let id: NotificationId | undefined;
  const failure = (error: unknown): BatchItemResult => failed(index, door.errorText(error), id);
  try {
    const result = whenThere(item(), (delivery): Eventual<BatchItemResult> => {
      if (isRepeat(delivery)) return repeated(index);
      // From here on it may arrive, whatever the store says: the client needs the id that it would have.
      ({ id } = delivery.notification);
      return whenThere(door.dispatch(delivery), (report) => dispatched(index, delivery, report));
    });
    return result instanceof Promise ? result.catch(failure) : result;
  } catch (error) {
    return failure(error);
  }
}

interface Prepared {
  readonly index: number;
  /** undefined: it could not be made, or repeats another one. */
  readonly delivery?: Delivery;
  readonly error?: string;
}

async function runAtomically(
  items: readonly BatchItem[],
  isRepeat: (delivery: Delivery) => boolean,
  door: BatchDoor,
): Promise<BatchItemResult[]> {
  const prepared: Prepared[] = [];
  for (const [index, item] of items.entries()) prepared.push(await prepare(index, item, isRepeat, door));
  if (prepared.some(({ error }) => error !== undefined)) {
    return prepared.map(({ index, error }) => failed(index, error ?? 'Aborted: atomic batch'));
  }
  const deliveries = prepared.flatMap(({ delivery }) => delivery ?? []);
  try {
    const reports = (await door.dispatchAtomically(deliveries)).values();
    return prepared.map(({ index, delivery }) => {
      if (delivery === undefined) return repeated(index);
      const report = reports.next().value;
      return report === undefined ? failed(index, 'Not dispatched') : dispatched(index, delivery, report);
    });
  } catch (error) {
    return prepared.map(({ index, delivery }) => failed(index, door.errorText(error), delivery?.notification.id));
  }
}

async function prepare(
  index: number,
  item: BatchItem,
  isRepeat: (delivery: Delivery) => boolean,
  door: BatchDoor,
): Promise<Prepared> {
  try {
    const delivery = await item();
    if (isRepeat(delivery)) return { index };
    const { notification, target, tenant } = delivery;
    if (hasExpired(notification, notification.occurredAt)) return { index, error: EXPIRED };
    if (!(await door.isDeliverable(tenant, target))) return { index, error: NOBODY[target.kind] };
    return { index, delivery };
  } catch (error) {
    return { index, error: door.errorText(error) };
  }
}

/** Target and event type make two items the same; payload, priority, ttl and the order of a list do not count. */
function repeatDetector(): (delivery: Delivery) => boolean {
  const seen = new Set<string>();
  return ({ target, notification }) => {
    const key = JSON.stringify([target.kind, namesOf(target).toSorted(), notification.eventType]);
    return seen.size === seen.add(key).size;
  };
}

function namesOf(target: Target): readonly string[] {
  switch (target.kind) {
    case 'user':
      return [target.user];
    case 'users':
      return target.users;
    case 'broadcast':
      return [];
    case 'channel':
      return [target.channel];
    case 'channels':
      return target.channels;
  }
}

const EXPIRED = 'Notification expired';

/** Why a well-formed item reached nobody. */
const NOBODY: Readonly<Record<Target['kind'], string>> = {
  user: 'User not connected',
  users: 'User not connected',
  broadcast: 'No client connected',
  channel: 'Channel not found',
  channels: 'Channel not found',
};

function dispatched(index: number, { target }: Delivery, report: DeliveryReport): BatchItemResult {
  const { id, deliveredTo, queuedCount } = report;
  const success = isAccepted(report);
  const result = { index, notification_id: id, delivered_to: deliveredTo, failed: report.failed, success };
  if (!success) return { ...result, error: reasonOf(report, target) };
  if (queuedCount === 0 && !report.durable) return result;
  return { ...result, ...(queuedCount > 0 && { queued: true }), ...(report.durable && { durable: true }) };
}

function reasonOf(report: DeliveryReport, target: Target): string {
  if (report.expired) return EXPIRED;
  return report.failed > 0 ? 'No connection accepted it' : NOBODY[target.kind];
}

function failed(index: number, error: string, id: NotificationId = NIL_NOTIFICATION_ID): BatchItemResult {
  return { index, notification_id: id, delivered_to: 0, failed: 0, success: false, error };
}

function repeated(index: number): BatchItemResult {
  return { index, notification_id: NIL_NOTIFICATION_ID, delivered_to: 0, failed: 0, success: true, skipped: true };
}

function skippedByStop(index: number): BatchItemResult {
  return { ...failed(index, 'Skipped due to stop_on_error'), skipped: true };
}
