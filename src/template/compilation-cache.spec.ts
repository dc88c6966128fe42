import { toRawJson } from '../protocol/raw-json';
import { CompilationCache } from './compilation-cache';

describe('the cache of compiled templates', () => {
  it('compiles equal text once, whoever owns it', () => {
    const cache = new CompilationCache();
    const first = cache.get(toRawJson({ a: '{{b}}' }));
    expect(cache.get(toRawJson({ a: '{{b}}' }))).toBe(first);
    expect(cache.get(toRawJson({ a: '{{c}}' }))).not.toBe(first);
    expect(cache.size).toBe(2);
  });

  it('lets go of what was not used for longest, within its weight', () => {
    const text = (letter: string): ReturnType<typeof toRawJson> => toRawJson(letter.repeat(98));
    const cache = new CompilationCache(250);
    const a = cache.get(text('a'));
    const b = cache.get(text('b'));
    expect(cache.get(text('a'))).toBe(a);
    cache.get(text('c'));
    expect(cache.size).toBe(2);
    expect(cache.get(text('a'))).toBe(a);
    expect(cache.get(text('b'))).not.toBe(b);
  });

  it('serves what is too heavy to be kept, and counts holes as weight', () => {
    const cache = new CompilationCache(250);
    expect(cache.get(toRawJson('{{a}}'.repeat(10))).holes).toHaveLength(10);
    expect(cache.size).toBe(0);
    cache.get(toRawJson('x'));
    expect(cache.size).toBe(1);
  });
});
