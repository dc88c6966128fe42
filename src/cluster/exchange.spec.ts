import { Exchange } from './exchange';

jest.useFakeTimers();

it('is done when every copy is accounted for, whether it was known before or after how many there are', async () => {
  const exchange = new Exchange();
  exchange.reply(2, 'a');
  const done = exchange.done(250);
  exchange.expect(4);
  exchange.ownCopy();
  exchange.reply(1, 'b');
  expect(await done).toBe(true);
  expect(exchange.answers).toEqual(['a', 'b']);
  expect(exchange.ownCopies).toBe(1);
});

it('does not wait when nobody was told, or all have replied', async () => {
  const nobody = new Exchange();
  nobody.expect(0);
  expect(await nobody.done(250)).toBe(true);
  const early = new Exchange();
  early.reply(1, 'a');
  early.expect(1);
  expect(await early.done(250)).toBe(true);
  expect(jest.getTimerCount()).toBe(0);
});

it('gives up when the time is over, with the answers so far', async () => {
  const exchange = new Exchange();
  exchange.expect(2);
  exchange.reply(1, 'a');
  const done = exchange.done(250);
  jest.advanceTimersByTime(250);
  expect(await done).toBe(false);
  expect(exchange.answers).toEqual(['a']);
});
