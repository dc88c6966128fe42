import { requestIdOf } from './request-id';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('the request id', () => {
  it.each(['abc', 'a1.B2_c3:d/e+f=g@h-i', 'x'.repeat(128)])('takes %s', (id) => {
    expect(requestIdOf(id)).toBe(id);
  });

  it.each([undefined, '', 'x'.repeat(129), 'a b', 'a\nb', 'a"b', '<script>', 'é', 'a\u0000'])('replaces %j', (id) => {
    const made = requestIdOf(id);
    expect(made).toMatch(UUID);
    expect(requestIdOf(id)).not.toBe(made);
  });
});
