import { boundedReader } from './bounded-reader';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

it('gives what the reader gives, at once or later', async () => {
  expect(await boundedReader(() => 3)()).toBe(3);
  expect(await boundedReader(() => Promise.resolve(4))()).toBe(4);
  expect(jest.getTimerCount()).toBe(0);
});

it('gives the last value when the reader is late, and does not ask it again before it has answered', async () => {
  const answers: ((value: number) => void)[] = [];
  const read = boundedReader(() => new Promise<number>((resolve) => answers.push(resolve)), 100);

  const first = read();
  await jest.advanceTimersByTimeAsync(100);
  expect(await first).toBe(0);

  const second = read();
  expect(answers).toHaveLength(1);
  answers[0]!(5);
  expect(await second).toBe(5);

  const third = read();
  await jest.advanceTimersByTimeAsync(100);
  expect(await third).toBe(5);
  expect(answers).toHaveLength(2);
});

it.each([
  [
    'throws',
    () => {
      throw new Error('no');
    },
  ],
  ['rejects', () => Promise.reject(new Error('no'))],
])('gives the last value when the reader %s, and asks again next time', async (_, fail) => {
  let behave: () => number | Promise<number> = () => 9;
  const read = boundedReader(() => behave());
  await read();
  behave = fail;
  expect(await read()).toBe(9);
  behave = () => 10;
  expect(await read()).toBe(10);
});
