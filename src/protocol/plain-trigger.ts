import { FAILED, JsonScanner, MemberReader } from './json-scanner';
import { plainPriority, plainTarget } from './plain-members';
import { MAX_TRIGGER_BYTES, type Trigger } from './trigger-message';

const MESSAGE = new MemberReader('type', 'target', 'event');
const [TYPE, TARGET, EVENT_MEMBER] = [0, 1, 2];
const EVENT = new MemberReader('event_type', 'payload', 'priority');
const [EVENT_TYPE, PAYLOAD, PRIORITY] = [0, 1, 2];

/**
 * Reads a trigger that is written as nearly all of them are: for one user, one channel or everybody, with a payload and
 * perhaps a priority. One pass over its bytes. Gives what parseTrigger would, or undefined for whatever is less usual or
 * wrong, which is left to parseTrigger. O(length).
 */
export function plainTrigger(text: string): Trigger | undefined {
  // Valid UTF-8, as the scanner wants it.
  const bytes = Buffer.from(text);
  if (bytes.length > MAX_TRIGGER_BYTES) return undefined;
  const scanner = new JsonScanner(bytes);
  if (!MESSAGE.readWhole(scanner)) return undefined;
  const target = plainTarget(scanner, MESSAGE, TYPE, TARGET);
  const event = MESSAGE.start(EVENT_MEMBER);
  if (target === undefined || event === FAILED || EVENT.read(scanner, event, 1) === FAILED) return undefined;
  const eventType = EVENT.text(scanner, EVENT_TYPE);
  const payload = EVENT.start(PAYLOAD);
  const priority = plainPriority(scanner, EVENT, PRIORITY);
  if (eventType === undefined || payload === FAILED || priority === undefined) return undefined;
  return { target, eventType, payload: scanner.raw(payload, EVENT.end(PAYLOAD)), priority };
}
