import { createHash } from 'node:crypto';
import { type NotificationId, parseNotificationId } from '../notification/ids';

/**
 * The id that every node derives for the same message: a UUID of version 7 when all of them know the same moment, else
 * one of version 8 (RFC 9562), which has no time in it.
 *
 * @param name unlike that of any other message
 */
export function derivedId(name: string, unixMs?: number): NotificationId {
  const bytes = createHash('sha256').update(name).digest().subarray(0, 16);
  if (unixMs !== undefined) bytes.writeUIntBE(unixMs, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | (unixMs === undefined ? 0x80 : 0x70);
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const id = parseNotificationId(hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'));
  if (id === undefined) throw new Error('a digest makes a UUID');
  return id;
}
