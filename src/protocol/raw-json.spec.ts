import fc from 'fast-check';
import { compact, elements, members, nestsDeeperThan, quoted, toRawJson, trustedRawJson } from './raw-json';

const whole = (text: string): { start: number; end: number } => ({ start: 0, end: text.length });

/** Any JSON value, with brackets, quotes and backslashes where they confuse a reader of text. */
const value = fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' });
const confusing = fc.array(
  fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', ' ', '\n', 'é', '😀') }),
);

describe('nestsDeeperThan', () => {
  it.each([
    ['', 0, false],
    ['1', 0, false],
    ['[]', 0, true],
    ['[]', 1, false],
    ['[[],[],[]]', 2, false],
    ['[{"a":[]}]', 2, true],
    ['[{"a":[]}]', 3, false],
    ['"[[[["', 0, false],
    ['["\\"[[["]', 1, false],
    ['["\\\\",[]]', 1, true],
    ['["unfinished [[[[', 1, false],
    [']]]][[', 0, false],
  ])('%s at %d: %s', (text, limit, expected) => {
    expect(nestsDeeperThan(text, limit)).toBe(expected);
  });

  it('allows 64 levels unless told otherwise', () => {
    expect(nestsDeeperThan('['.repeat(64))).toBe(false);
    expect(nestsDeeperThan('['.repeat(65))).toBe(true);
  });

  it('agrees with a parser on every valid text', () => {
    const depth = (node: unknown): number =>
      typeof node === 'object' && node !== null ? 1 + Math.max(0, ...Object.values(node).map(depth)) : 0;
    fc.assert(
      fc.property(fc.oneof(value, confusing), (node) => {
        const text = JSON.stringify(node);
        const parsed = depth(JSON.parse(text));
        expect(nestsDeeperThan(text, parsed)).toBe(false);
        if (parsed > 0) expect(nestsDeeperThan(text, parsed - 1)).toBe(true);
      }),
    );
  });

  it('takes time in proportion to the length, whatever the text', () => {
    for (const text of [
      '"\\'.repeat(500_000),
      '\\'.repeat(1_000_000),
      `"${'\\"'.repeat(500_000)}`,
      `"${'\\\\'.repeat(500_000)}"`,
    ]) {
      const start = performance.now();
      nestsDeeperThan(text);
      expect(performance.now() - start).toBeLessThan(500);
    }
  });
});

describe('members', () => {
  const pairs = (text: string, at?: number): string[][] =>
    members(text, at).map(({ key, start, end }) => [key, text.slice(start, end)]);

  it('lists keys and the text of their values, repeated keys too', () => {
    expect(pairs(' { "a" : 1 , "b":{"c":[1,2]},"a":"}","\\u0064":null } ')).toEqual([
      ['a', '1'],
      ['b', '{"c":[1,2]}'],
      ['a', '"}"'],
      ['d', 'null'],
    ]);
  });

  it('starts where it is told', () => {
    expect(pairs('[{"a":1},{"b":2}]', 9)).toEqual([['b', '2']]);
  });

  it.each(['{}', ' { } ', '[]', '1', '"{"', ''])('is empty for %j', (text) => {
    expect(members(text)).toEqual([]);
  });

  it('agrees with a parser on every object', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.oneof(value, confusing)),
        fc.constantFrom(undefined, 2, '\t'),
        (object, space) => {
          const text = JSON.stringify(object, null, space);
          const read = members(text).map(({ key, start, end }): unknown[] => [key, JSON.parse(text.slice(start, end))]);
          expect(read).toEqual(Object.entries(JSON.parse(text) as object));
        },
      ),
    );
  });
});

describe('elements', () => {
  const texts = (text: string, at?: number): string[] =>
    elements(text, at).map(({ start, end }) => text.slice(start, end));

  it('lists the text of each element', () => {
    expect(texts(' [ 1 , "a]" ,[2,[3]], {"b":[]},null ] ')).toEqual(['1', '"a]"', '[2,[3]]', '{"b":[]}', 'null']);
    expect(texts('{"a":[1,2]}', 5)).toEqual(['1', '2']);
  });

  it.each(['[]', ' [ ] ', '{}', '1', ''])('is empty for %j', (text) => {
    expect(elements(text)).toEqual([]);
  });

  it('agrees with a parser on every array', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(value, confusing)), fc.constantFrom(undefined, 2), (array, space) => {
        const text = JSON.stringify(array, null, space);
        expect(texts(text).map((element): unknown => JSON.parse(element))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('ends on text that is not JSON', () => {
    for (const text of ['[,', '[}', '[1', '["', '[1 2', '{"a"', '{"a":', '{"a":1,', '{,']) {
      expect(elements(text).length + members(text).length).toBeLessThan(3);
    }
  });
});

describe('compact', () => {
  it('keeps numbers, escapes, key order and repeated keys', () => {
    const text = '{\r\n "b" : 1.0 ,\t"a":[ 1e3 , -0 , 12345678901234567890 ], "b":"x  \\u0020\\/ y" }';
    expect(compact(text, whole(text))).toBe('{"b":1.0,"a":[1e3,-0,12345678901234567890],"b":"x  \\u0020\\/ y"}');
  });

  it('takes out what the span names', () => {
    expect(compact('[ {"a": 1} ,2]', { start: 2, end: 10 })).toBe('{"a":1}');
  });

  it('undoes any pretty-printing', () => {
    fc.assert(
      fc.property(fc.oneof(value, confusing), fc.constantFrom(1, 4, '\t', ' \n', '\r\n'), (node, space) => {
        const pretty = JSON.stringify(node, null, space);
        expect(compact(pretty, whole(pretty))).toBe(JSON.stringify(node));
      }),
    );
  });
});

it('values of this process and texts of a store become RawJson', () => {
  expect(toRawJson({ a: [1, 'x\n'] })).toBe('{"a":[1,"x\\n"]}');
  expect(trustedRawJson('{"a":1}')).toBe('{"a":1}');
});

it('a quoted text is what JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant('"\\\u007f\u2028')), (text) => {
      expect(quoted(text)).toBe(JSON.stringify(text));
    }),
  );
});
