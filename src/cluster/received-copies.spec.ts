import { ReceivedCopies } from './received-copies';

it('the reply to the first copy accounts for those that came before it; later ones are answered by themselves', () => {
  const copies = new ReceivedCopies({ now: () => 0 });
  expect(copies.take('a')).toBe('first');
  expect(copies.take('b')).toBe('first');
  expect(copies.take('a')).toBe('further');
  expect(copies.take('a')).toBe('further');
  expect(copies.answer('a')).toBe(3);
  expect(copies.take('a')).toBe('late');
  expect(copies.answer('b')).toBe(1);
});

it('remembers a message for 10 s and no longer', () => {
  let now = 0;
  const copies = new ReceivedCopies({ now: () => now });
  copies.take('a');
  now = 9_999;
  expect(copies.take('a')).toBe('further');
  now = 10_000;
  expect(copies.take('a')).toBe('first');
});

it('a message that was heard once only is one copy', () => {
  expect(new ReceivedCopies({ now: () => 0 }).answer('a')).toBe(1);
});
