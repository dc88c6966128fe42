import fc from 'fast-check';

/** Ids that have broken one system or another: separators, encodings, look-alikes, names of JavaScript, paths, glob and Redis syntax. */
export const HOSTILE_IDS = [
  '',
  ' ',
  'a',
  'A',
  'a:b',
  ':a',
  'a:',
  'default:a',
  'tenant-acme:a',
  'acme:a',
  'acme',
  'аcme', // Cyrillic
  'ａcme', // full width
  'é',
  'e\u0301',
  '.',
  '..',
  '../a',
  'a/b',
  'a\\b',
  'a.b',
  'a%3Ab',
  'a%3ab',
  '%2e%2e',
  '%00',
  '%',
  '\0',
  'a\0b',
  'a\r\nb',
  'a\u2028b',
  '\ud800',
  '\ufeffa',
  'a\u202eb',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '*',
  'a*',
  'a?',
  '[a]',
  '{a}',
  '{0}',
  '{{a}}',
  '$where',
  "' or '1'='1",
  '<script>',
  '0',
  '-1',
  'null',
  'undefined',
  'true',
  '🔥',
  'x'.repeat(64),
  'x'.repeat(65),
  'é'.repeat(127),
  'é'.repeat(128),
  'x'.repeat(256),
] as const;

export const hostileId: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constantFrom(...HOSTILE_IDS), weight: 4 },
  {
    arbitrary: fc.string({
      unit: fc.constantFrom('a', 'b', ':', '%', '3', 'A', '.', '-', '_', '\0', '/', 'é'),
      maxLength: 6,
    }),
    weight: 1,
  },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 12 }), weight: 1 },
);

/** One segment of a path: encoded as a client should, encoded twice, or as raw as HTTP can carry it. */
export function inPath(text: string, how: 'encoded' | 'twice' | 'raw'): string {
  const encoded = encodeURIComponent(text.toWellFormed());
  if (how === 'encoded') return encoded;
  if (how === 'twice') return encodeURIComponent(encoded);
  return text.replace(/[^\x21-\x7e]|[?#]/g, (character) => encodeURIComponent(character.toWellFormed()));
}
