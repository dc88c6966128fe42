import fc from 'fast-check';
import { parseChannelName, parseNotificationId, parseTenantId, parseUserId } from './ids';

describe('user ids', () => {
  it.each(['', 'alice', 'a b', 'tenant:alice', 'ü', '\u0001', '😀', 'x'.repeat(255), 'ü'.repeat(127), '😀'.repeat(63)])(
    'may be %j',
    (raw) => {
      expect(parseUserId(raw)).toBe(raw);
    },
  );

  it.each(['\0', 'a\0b', '\ud800', 'a\udc00', 'x'.repeat(256), 'ü'.repeat(128), '😀'.repeat(64)])(
    'may not be %j',
    (raw) => {
      expect(parseUserId(raw)).toBeUndefined();
    },
  );

  it('are bounded in UTF-8 bytes, whatever they are made of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (raw) => {
        const fits = Buffer.byteLength(raw) <= 255 && !raw.includes('\0') && raw.isWellFormed();
        expect(parseUserId(raw)).toBe(fits ? raw : undefined);
      }),
    );
  });
});

describe.each([
  ['channel names', parseChannelName],
  ['tenant ids', parseTenantId],
])('%s', (_, parse) => {
  it.each(['a', 'order.created', 'A-Z_0.9', 'größe', '訂單', 'नमस्ते', 'x'.repeat(64), '訂'.repeat(21)])(
    'may be %j',
    (raw) => {
      expect(parse(raw)).toBe(raw);
    },
  );

  it.each(['', 'a b', 'a:b', 'a/b', 'a*', '😀', 'a\n', '\0', '\ud800', 'x'.repeat(65), '訂'.repeat(22)])(
    'may not be %j',
    (raw) => {
      expect(parse(raw)).toBeUndefined();
    },
  );
});

it('notification ids are UUIDs of any version, in lower case whatever came', () => {
  const raw = '0197A3B0-0000-7000-8000-00000000ABCD';
  expect(parseNotificationId(raw)).toBe(raw.toLowerCase());
  for (const bad of [
    '',
    raw.slice(1),
    `${raw}0`,
    raw.replaceAll('-', ''),
    `{${raw}}`,
    `${raw}\n`,
    raw.replace('A', 'G'),
  ])
    expect(parseNotificationId(bad)).toBeUndefined();
});
