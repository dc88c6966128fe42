import { derivedId } from './derived-id';

const AT = Date.UTC(2026, 0, 1);

it('is a time-ordered UUID, the same wherever it is derived', () => {
  const id = derivedId('message 1', AT);
  expect(id).toBe(derivedId('message 1', AT));
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(AT);
  expect(id).not.toBe(derivedId('message 2', AT));
  expect(id < derivedId('message 1', AT + 1)).toBe(true);
});

it('is a UUID of version 8 without a moment', () => {
  const id = derivedId('key');
  expect(id).toBe(derivedId('key'));
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(id).not.toBe(derivedId('other key'));
});
