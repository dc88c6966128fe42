import fc from 'fast-check';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { Coalescer } from './coalescer';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A writer that answers when the test says so. */
class Writer {
  readonly batches: (readonly number[])[] = [];
  readonly #open: { items: readonly number[]; resolve: (r: number[]) => void; reject: (e: unknown) => void }[] = [];

  readonly write = (items: readonly number[]): Promise<readonly number[]> => {
    this.batches.push(items);
    return new Promise((resolve, reject) => this.#open.push({ items, resolve, reject }));
  };

  async answer(): Promise<void> {
    const batch = this.#open.shift();
    batch?.resolve(batch.items.map((item) => item * 10));
    await turn();
  }

  async fail(error: unknown): Promise<void> {
    this.#open.shift()?.reject(error);
    await turn();
  }
}

let writer: Writer;
let coalescer: Coalescer<number, number>;

beforeEach(() => {
  writer = new Writer();
  coalescer = new Coalescer(writer.write, { maxBatch: 3 });
});

it('writes what one turn submits as one batch, and gives each caller its own result', async () => {
  const answers = Promise.all([coalescer.submit(1), coalescer.submit(2)]);
  expect(writer.batches).toEqual([]);
  await turn();
  expect(writer.batches).toEqual([[1, 2]]);
  await writer.answer();
  expect(await answers).toEqual([10, 20]);
});

it('has one batch under way, of limited size, and gathers what comes meanwhile in order', async () => {
  const answers = [1, 2, 3, 4].map((item) => coalescer.submit(item));
  await turn();
  expect(writer.batches).toEqual([[1, 2, 3]]);
  answers.push(coalescer.submit(5));
  await turn();
  expect(writer.batches).toHaveLength(1);
  await writer.answer();
  expect(writer.batches).toEqual([
    [1, 2, 3],
    [4, 5],
  ]);
  await writer.answer();
  expect(await Promise.all(answers)).toEqual([10, 20, 30, 40, 50]);
});

it.each([0, 1, 2, 3, 4, 5, 6, 7])('writes again what is submitted %i microtasks after an answer', async (depth) => {
  const first = coalescer.submit(1);
  await turn();
  const second = first.then(async () => {
    for (let i = 0; i < depth; i++) await Promise.resolve();
    return coalescer.submit(2);
  });
  await writer.answer();
  await turn();
  await writer.answer();
  expect(await second).toBe(20);
  expect(writer.batches).toEqual([[1], [2]]);
});

it('repeats a batch item by item when its input made it fail, so that only the bad item is refused', async () => {
  const answers = Promise.allSettled([1, 2, 3].map((item) => coalescer.submit(item)));
  await turn();
  const refused = new Error('2 is not acceptable');
  await writer.fail(refused);
  await writer.answer();
  await writer.fail(refused);
  await writer.answer();
  expect(writer.batches).toEqual([[1, 2, 3], [1], [2], [3]]);
  expect(await answers).toEqual([
    { status: 'fulfilled', value: 10 },
    { status: 'rejected', reason: refused },
    { status: 'fulfilled', value: 30 },
  ]);
});

it('fails a whole batch at once, without repeating it, when the store is out of reach', async () => {
  const answers = Promise.allSettled([1, 2].map((item) => coalescer.submit(item)));
  await turn();
  const down = new StoreUnavailableError('redis', 'down');
  await writer.fail(down);
  expect(await answers).toEqual([
    { status: 'rejected', reason: down },
    { status: 'rejected', reason: down },
  ]);
  expect(writer.batches).toHaveLength(1);
});

it('ends with errors whatever a writer throws, or leaves out', async () => {
  const strange = coalescer.submit(1);
  await turn();
  await writer.fail('a string');
  await expect(strange).rejects.toThrow('a string');

  const short = new Coalescer<number, number>(() => Promise.resolve([1]), { maxBatch: 10 });
  const answers = await Promise.allSettled([short.submit(1), short.submit(2)]);
  expect(answers[0]).toEqual({ status: 'fulfilled', value: 1 });
  expect(answers[1]).toMatchObject({ reason: { message: expect.stringContaining('fewer results') as string } });

  const throwing = new Coalescer<number, number>(
    () => {
      throw new Error('at once');
    },
    { maxBatch: 10 },
  );
  await expect(throwing.submit(1)).rejects.toThrow('at once');
});

describe('time-outs', () => {
  it('answer each caller after its own wait, also one whose batch has not begun; the write is not called back', async () => {
    const slow = new Coalescer(writer.write, { maxBatch: 1, timeoutMs: 20, onTimeout: () => new Error('too slow') });
    const answers = await Promise.allSettled([slow.submit(1), slow.submit(2)]);
    expect(answers.map((answer) => answer.status === 'rejected' && String(answer.reason))).toEqual([
      'Error: too slow',
      'Error: too slow',
    ]);
    await writer.answer();
    await writer.answer();
    expect(writer.batches).toEqual([[1], [2]]);
    await slow.idle();
  });

  it('say how long it took when the owner does not say more', async () => {
    const slow = new Coalescer(writer.write, { maxBatch: 1, timeoutMs: 5 });
    await expect(slow.submit(1)).rejects.toThrow('no answer within 5 ms');
  });

  it('do not hit those who are answered in time', async () => {
    const quick = new Coalescer<number, number>((items) => Promise.resolve(items), { maxBatch: 5, timeoutMs: 1000 });
    expect(await quick.submit(7)).toBe(7);
  });
});

describe('idle', () => {
  it('waits for what is waiting, under way and submitted meanwhile', async () => {
    const order: string[] = [];
    void coalescer.submit(1).then(() => order.push('first'));
    const idle = coalescer.idle().then(() => order.push('idle'));
    await turn();
    void coalescer.submit(2).then(() => order.push('second'));
    await writer.answer();
    expect(order).toEqual(['first']);
    await writer.answer();
    await idle;
    expect(order).toEqual(['first', 'second', 'idle']);
  });

  it('comes at once when there is nothing to do, and also after failures', async () => {
    await coalescer.idle();
    const failed = coalescer.submit(1).catch(() => 'failed');
    const idle = coalescer.idle();
    await turn();
    await writer.fail(new StoreUnavailableError('redis', 'down'));
    await idle;
    expect(await failed).toBe('failed');
  });
});

it('writes every item in the order of its submission and answers every caller, whatever comes when', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant('submit' as const) },
    { weight: 2, arbitrary: fc.constant('answer' as const) },
    { weight: 1, arbitrary: fc.constant('turn' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), async (steps, maxBatch) => {
      const of = new Writer();
      const tested = new Coalescer(of.write, { maxBatch });
      const answers: Promise<number>[] = [];
      for (const each of steps) {
        if (each === 'submit') answers.push(tested.submit(answers.length));
        else if (each === 'answer') await of.answer();
        else await turn();
      }
      const ended = jest.fn();
      void tested.idle().then(ended);
      for (let i = 0; i < 100 && ended.mock.calls.length === 0; i++) await of.answer();
      expect(ended).toHaveBeenCalled();
      expect(of.batches.flat()).toEqual(answers.map((_, index) => index));
      expect(Math.max(0, ...of.batches.map((batch) => batch.length))).toBeLessThanOrEqual(maxBatch);
      expect(await Promise.all(answers)).toEqual(answers.map((_, index) => index * 10));
    }),
    { numRuns: 50 },
  );
});
