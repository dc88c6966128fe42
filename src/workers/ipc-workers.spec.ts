import { configOf } from '../../test/support/engine';
import { IpcWorkers, type Pipe } from './ipc-workers';
import type { FromWorker, ToWorker } from './worker-message';
import { LoneWorker, Subject } from './workers';

const NAME = new Subject<string, string>('name');

/** The supervisor's end of the pipe. */
class FakePipe implements Pipe {
  readonly said: FromWorker[] = [];
  connected = true;
  #listener: (message: unknown) => void = () => undefined;

  send(message: FromWorker, onSent?: () => void): void {
    this.said.push(message);
    onSent?.();
  }

  on(_event: 'message', listener: (message: unknown) => void): void {
    this.#listener = listener;
  }

  tells(message: ToWorker | object): void {
    this.#listener(message);
  }

  last<K extends FromWorker['kind']>(kind: K): Extract<FromWorker, { kind: K }> | undefined {
    return this.said.findLast((message): message is Extract<FromWorker, { kind: K }> => message.kind === kind);
  }
}

let pipe: FakePipe;
let workers: IpcWorkers;
const turn = (): Promise<void> => jest.advanceTimersByTimeAsync(0);

beforeEach(async () => {
  jest.useFakeTimers();
  pipe = new FakePipe();
  const joining = IpcWorkers.join(pipe);
  // Node's own messages come through the same pipe.
  pipe.tells({ cmd: 'NODE_CLUSTER' });
  const config = configOf({ WORKERS: '3', CLUSTER_ENABLED: 'true' });
  pipe.tells({ kind: 'assignment', number: 2, config, startedAt: Date.now() - 5000 });
  workers = await joining;
});

afterEach(() => jest.useRealTimers());

it('knows who it is, and since when the whole is there', () => {
  expect([workers.count, workers.number, workers.uptimeSeconds()]).toEqual([3, 2, 5]);
});

it('reports at once what changes, once per turn, and every second that it is alive', async () => {
  workers.tellConnections(1);
  workers.tellConnections(2);
  workers.tellReady(true);
  workers.tellReady(true);
  await turn();
  expect(pipe.said).toEqual([{ kind: 'report', connections: 2, isReady: true }]);
  await jest.advanceTimersByTimeAsync(2000);
  expect(pipe.said).toHaveLength(3);
});

it('hears how the others are', () => {
  expect([workers.connectionsElsewhere, workers.areOthersReady]).toEqual([0, false]);
  pipe.tells({ kind: 'others', connections: 4, areReady: true });
  expect([workers.connectionsElsewhere, workers.areOthersReady]).toEqual([4, true]);
});

it('opens the port when it may', async () => {
  const prepared = workers.prepared();
  expect(pipe.last('prepared')).toBeDefined();
  pipe.tells({ kind: 'listen' });
  await prepared;
});

it('answers what it is asked; what fails is no answer', async () => {
  workers.onAsk(NAME, (question) => Promise.resolve(`${question}!`));
  pipe.tells({ kind: 'question', id: 1, subject: 'name', question: 'who' });
  await turn();
  expect(pipe.last('answer')).toEqual({ kind: 'answer', id: 1, answer: 'who!' });
  pipe.tells({ kind: 'question', id: 2, subject: 'unknown', question: null });
  await turn();
  expect(pipe.last('answer')).toEqual({ kind: 'answer', id: 2, answer: undefined });
});

it('asks once for all who ask the same meanwhile', async () => {
  const asking = [workers.gather(NAME, 'who'), workers.gather(NAME, 'who'), workers.gather(NAME, 'what')];
  const asked = pipe.said.filter(({ kind }) => kind === 'ask');
  expect(asked).toEqual([
    { kind: 'ask', id: 1, subject: 'name', question: 'who' },
    { kind: 'ask', id: 2, subject: 'name', question: 'what' },
  ]);
  pipe.tells({ kind: 'answers', id: 1, answers: ['a', 'b'] });
  pipe.tells({ kind: 'answers', id: 2, answers: [] });
  expect(await Promise.all(asking)).toEqual([['a', 'b'], ['a', 'b'], []]);
});

it('speaks for itself alone when the supervisor says nothing', async () => {
  workers.onAsk(NAME, () => 'me');
  const asking = workers.gather(NAME, 'who');
  await jest.advanceTimersByTimeAsync(1500);
  expect(await asking).toEqual(['me']);
});

it('says why it cannot start, also when nobody listens', async () => {
  await workers.failed('no port');
  expect(pipe.last('failed')).toEqual({ kind: 'failed', reason: 'no port' });
  pipe.connected = false;
  await workers.failed('no port');
  workers.tellConnections(1);
  await turn();
  expect(pipe.said).toHaveLength(1);
});

it('drains when it is told to', () => {
  const drain = jest.fn();
  workers.onDrain(drain);
  pipe.tells({ kind: 'drain' });
  expect(drain).toHaveBeenCalledTimes(1);
});

it('alone, answers itself', async () => {
  const alone = new LoneWorker();
  expect(await alone.gather(NAME, 'who')).toEqual([]);
  alone.onAsk(NAME, (question) => question);
  expect(await alone.gather(NAME, 'who')).toEqual(['who']);
  expect([alone.count, alone.number, alone.connectionsElsewhere, alone.areOthersReady]).toEqual([
    1,
    undefined,
    0,
    true,
  ]);
});
