import { isUtf8 } from 'node:buffer';
import type { Target } from '../notification/target';
import { FAILED, JsonScanner, MemberReader } from '../protocol/json-scanner';
import {
  BROADCAST,
  plainChannel,
  plainPriority,
  plainTarget,
  plainUser,
  type ToAll,
  type ToChannel,
  type ToUser,
} from '../protocol/plain-members';
import type { BatchOptions } from './batch-runner';
import { MAX_ITEMS } from './dto/batch.dto';
import { MAX_TTL_SECONDS } from './dto/content.dto';
import type { Asked } from './to-delivery';

/*
 * Reads requests that are written as nearly all of them are, straight from their bytes: one pass finds the payload's
 * text, knows that all of it is valid JSON, and checks the rest. Each function gives what the schemas would, or undefined
 * for whatever is less usual (a template, an unknown member, an escape in a name) or wrong; then the schemas decide, and
 * find the words for what is wrong.
 */

const OPEN_BRACKET = 0x5b;
const COMMA = 0x2c;

const CONTENT = ['event_type', 'payload', 'priority', 'ttl', 'correlation_id'];
const [EVENT_TYPE, PAYLOAD, PRIORITY, TTL, CORRELATION_ID, TARGET] = [0, 1, 2, 3, 4, 5];

const TO_USER = new MemberReader(...CONTENT, 'target_user_id');
const TO_CHANNEL = new MemberReader(...CONTENT, 'channel');
const TO_ALL = new MemberReader(...CONTENT);

const BATCH = new MemberReader('notifications', 'options', 'atomic');
const [NOTIFICATIONS, OPTIONS, ATOMIC] = [0, 1, 2];
const OPTION = new MemberReader('stop_on_error', 'deduplicate', 'atomic');
const ITEM = new MemberReader(...CONTENT, 'target');
const ADDRESS = new MemberReader('type', 'value');
const [TYPE, VALUE] = [0, 1];

const NO_OPTIONS = { stopOnError: false, deduplicate: false };

export interface PlainBatch {
  /** 1 to MAX_ITEMS. */
  readonly items: readonly Asked[];
  readonly options: BatchOptions;
}

export function plainSendToUser(bytes: Buffer): Asked<ToUser> | undefined {
  return plainSend(bytes, TO_USER, (scanner) => plainUser(scanner, TO_USER, TARGET));
}

export function plainSendToChannel(bytes: Buffer): Asked<ToChannel> | undefined {
  return plainSend(bytes, TO_CHANNEL, (scanner) => plainChannel(scanner, TO_CHANNEL, TARGET));
}

export function plainBroadcast(bytes: Buffer): Asked<ToAll> | undefined {
  return plainSend(bytes, TO_ALL, () => BROADCAST);
}

export function plainBatch(bytes: Buffer): PlainBatch | undefined {
  const scanner = new JsonScanner(bytes);
  if (!isWhole(scanner, BATCH)) return undefined;
  const options = batchOptions(scanner);
  const items = options === undefined ? undefined : batchItems(scanner, BATCH.start(NOTIFICATIONS));
  return options === undefined || items === undefined ? undefined : { items, options };
}

function plainSend<T extends Target>(
  bytes: Buffer,
  members: MemberReader,
  targetOf: (scanner: JsonScanner) => T | undefined,
): Asked<T> | undefined {
  const scanner = new JsonScanner(bytes);
  if (!isWhole(scanner, members)) return undefined;
  const target = targetOf(scanner);
  return target === undefined ? undefined : asked(scanner, members, target);
}

/** One object and nothing behind it, in valid UTF-8. */
function isWhole(scanner: JsonScanner, members: MemberReader): boolean {
  return members.readWhole(scanner) && (scanner.isAscii || isUtf8(scanner.bytes));
}

function batchItems(scanner: JsonScanner, start: number): Asked[] | undefined {
  const { bytes } = scanner;
  const items: Asked[] = [];
  if (start === FAILED || bytes[start] !== OPEN_BRACKET) return undefined;
  let at = start;
  // The bytes are known to be valid: behind an element stands a comma or the end of the array.
  do {
    const end = ITEM.read(scanner, scanner.skipSpace(at + 1), 2);
    if (end === FAILED || items.length === MAX_ITEMS) return undefined;
    const item = batchItem(scanner);
    if (item === undefined) return undefined;
    items.push(item);
    at = scanner.skipSpace(end);
  } while (bytes[at] === COMMA);
  return items;
}

function batchItem(scanner: JsonScanner): Asked | undefined {
  if (ADDRESS.read(scanner, ITEM.start(TARGET), 3) === FAILED) return undefined;
  const target = plainTarget(scanner, ADDRESS, TYPE, VALUE);
  return target === undefined ? undefined : asked(scanner, ITEM, target);
}

function batchOptions(scanner: JsonScanner): BatchOptions | undefined {
  const start = BATCH.start(OPTIONS);
  const outer = flag(scanner, BATCH, ATOMIC);
  if (start === FAILED) return outer === undefined ? undefined : { ...NO_OPTIONS, atomic: outer };
  if (OPTION.read(scanner, start, 1) === FAILED) return undefined;
  const [stopOnError, deduplicate, atomic] = [0, 1, 2].map((n) => flag(scanner, OPTION, n));
  if (outer === undefined || stopOnError === undefined || deduplicate === undefined || atomic === undefined) {
    return undefined;
  }
  return { stopOnError, deduplicate, atomic: outer || atomic };
}

function asked<T extends Target>(scanner: JsonScanner, members: MemberReader, target: T): Asked<T> | undefined {
  const eventType = members.text(scanner, EVENT_TYPE);
  const priority = plainPriority(scanner, members, PRIORITY);
  const ttlSeconds = ttlOf(scanner, members);
  const isTold = members.start(CORRELATION_ID) !== FAILED;
  const correlationId = isTold ? members.text(scanner, CORRELATION_ID) : undefined;
  const payload = members.start(PAYLOAD);
  if (eventType === undefined || priority === undefined || payload === FAILED) return undefined;
  if (ttlSeconds === FAILED || (isTold && correlationId === undefined)) return undefined;
  const content = { eventType, payload: scanner.raw(payload, members.end(PAYLOAD)), priority, ttlSeconds };
  return { target, content, correlationId };
}

/** undefined: none is given. FAILED: it is no plain number of seconds. */
function ttlOf(scanner: JsonScanner, members: MemberReader): number | undefined {
  const start = members.start(TTL);
  if (start === FAILED) return undefined;
  const digits = scanner.raw(start, members.end(TTL));
  const seconds = /^\d{1,10}$/.test(digits) ? Number(digits) : FAILED;
  return seconds <= MAX_TTL_SECONDS ? seconds : FAILED;
}

/** false when it is missing; undefined when it is neither true nor false. */
function flag(scanner: JsonScanner, members: MemberReader, n: number): boolean | undefined {
  const start = members.start(n);
  if (start === FAILED) return false;
  const word = scanner.raw(start, members.end(n));
  return word === 'true' || (word === 'false' ? false : undefined);
}
