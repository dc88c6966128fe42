import { configOf } from '../../test/support/engine';
import { Supervisor, type WorkerProcess } from './supervisor';
import type { FromWorker, ToWorker } from './worker-message';
import { Subject } from './workers';

const SUM = new Subject<null, number>('sum', { add: (departed = 0, last) => departed + last });

/** A process that a test speaks for. */
class FakeProcess implements WorkerProcess {
  readonly heard: ToWorker[] = [];
  readonly kills: string[] = [];
  #onMessage: (message: unknown) => void = () => undefined;
  #onExit: (code: number | null, signal: string | null) => void = () => undefined;

  constructor(
    readonly number: number,
    readonly pid: number,
  ) {}

  send(message: ToWorker): void {
    this.heard.push(message);
  }

  kill(signal: NodeJS.Signals): void {
    this.kills.push(signal);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#onMessage = listener;
  }

  onExit(listener: (code: number | null, signal: string | null) => void): void {
    this.#onExit = listener;
  }

  says(message: FromWorker): void {
    this.#onMessage(message);
  }

  ends(code: number | null, signal: string | null = null): void {
    this.#onExit(code, signal);
  }

  /** All that it was told of this kind. */
  of<K extends ToWorker['kind']>(kind: K): Extract<ToWorker, { kind: K }>[] {
    return this.heard.filter((message): message is Extract<ToWorker, { kind: K }> => message.kind === kind);
  }
}

let processes: FakeProcess[];
let exits: (readonly [number, string | undefined])[];
let logged: string[];
let welcomes: number;
let supervisor: Supervisor;

/** The process that is a worker's now. */
const worker = (number: number): FakeProcess => processes.findLast((one) => one.number === number)!;
const turn = (): Promise<void> => jest.advanceTimersByTimeAsync(0);

function supervise(): void {
  processes = [];
  exits = [];
  logged = [];
  welcomes = 0;
  const config = configOf({
    WORKERS: '2',
    CLUSTER_ENABLED: 'true',
    CLUSTER_NODE_ID: 'node-1',
    TENANT_ENABLED: 'true',
    TENANT_ACME_MAX_CONNECTIONS: '7',
  });
  supervisor = new Supervisor(config, {
    fork: (number) => {
      const forked = new FakeProcess(number, 1000 + processes.length);
      processes.push(forked);
      return forked;
    },
    kept: [SUM],
    onReady: () => welcomes++,
    log: (_level, message) => logged.push(message),
    exit: (code, reason) => exits.push([code, reason]),
  });
  supervisor.start();
}

async function serving(): Promise<void> {
  for (const number of [1, 2]) worker(number).says({ kind: 'prepared' });
  for (const number of [1, 2]) worker(number).says({ kind: 'listening' });
  for (const number of [1, 2]) worker(number).says({ kind: 'report', connections: 0, isReady: true });
  await turn();
}

async function comesUp(number: number): Promise<void> {
  worker(number).says({ kind: 'prepared' });
  worker(number).says({ kind: 'listening' });
  worker(number).says({ kind: 'report', connections: 0, isReady: true });
  await turn();
}

beforeEach(() => {
  jest.useFakeTimers();
  supervise();
});

afterEach(() => jest.useRealTimers());

describe('the start', () => {
  it('gives each the same configuration under its own name', () => {
    const configs = processes.map((one) => one.of('assignment')[0]!.config);
    expect(configs.map(({ cluster }) => cluster.nodeId)).toEqual(['node-1-w1', 'node-1-w2']);
    expect(configs.map(({ cluster }) => cluster.machineId)).toEqual(['node-1', 'node-1']);
    expect(structuredClone(configs[0])).toEqual(configs[0]);
  });

  it('opens the port when all are prepared, and is told of once', async () => {
    worker(1).says({ kind: 'prepared' });
    expect(worker(1).of('listen')).toHaveLength(0);
    worker(2).says({ kind: 'prepared' });
    expect([worker(1), worker(2)].map((one) => one.of('listen').length)).toEqual([1, 1]);
    worker(1).says({ kind: 'listening' });
    expect(welcomes).toBe(0);
    worker(2).says({ kind: 'listening' });
    expect(welcomes).toBe(1);
    worker(1).ends(1);
    await jest.advanceTimersByTimeAsync(100);
    await comesUp(1);
    expect(welcomes).toBe(1);
  });

  it('fails as a whole, with the reason of the first that fails', () => {
    worker(2).says({ kind: 'failed', reason: 'Redis cannot be reached' });
    worker(2).ends(1);
    worker(1).says({ kind: 'failed', reason: 'Redis cannot be reached' });
    worker(1).ends(1);
    expect(exits).toEqual([[1, 'Ara could not start: Redis cannot be reached']]);
    expect(worker(1).kills).toEqual(['SIGKILL']);
  });
});

describe('a worker that ends by itself', () => {
  beforeEach(serving);

  it('is started again, sooner the first time than after failures', async () => {
    const starts = async (ms: number): Promise<number> => {
      const before = processes.length;
      await jest.advanceTimersByTimeAsync(ms);
      return processes.length - before;
    };
    worker(1).ends(null, 'SIGKILL');
    expect(logged.at(-1)).toBe('Worker 1 is gone: it ended by SIGKILL. It is started again in 100 ms');
    expect([await starts(99), await starts(1)]).toEqual([0, 1]);
    worker(1).says({ kind: 'failed', reason: 'no memory' });
    worker(1).ends(1);
    expect(logged.at(-1)).toBe('Worker 1 is gone: no memory. It is started again in 200 ms');
    expect([await starts(199), await starts(1)]).toEqual([0, 1]);
    for (let i = 0; i < 12; i++) {
      worker(1).ends(1);
      await starts(30_000);
    }
    worker(1).ends(1);
    expect([await starts(29_999), await starts(1)]).toEqual([0, 1]);
    expect(exits).toEqual([]);
    await comesUp(1);
    jest.advanceTimersByTime(0);
    for (let second = 0; second < 60; second++) {
      for (const number of [1, 2]) worker(number).says({ kind: 'report', connections: 0, isReady: true });
      await jest.advanceTimersByTimeAsync(1000);
    }
    worker(1).ends(0);
    expect(logged.at(-1)).toContain('it ended with code 0. It is started again in 100 ms');
  });

  it('makes the others not ready, and its connections count no more', async () => {
    worker(2).says({ kind: 'report', connections: 5, isReady: true });
    await turn();
    expect(worker(1).of('others').at(-1)).toMatchObject({ connections: 5, areReady: true });
    worker(2).ends(1);
    await turn();
    expect(worker(1).of('others').at(-1)).toMatchObject({ connections: 0, areReady: false });
    await jest.advanceTimersByTimeAsync(100);
    await comesUp(2);
    expect(worker(1).of('others').at(-1)).toMatchObject({ connections: 0, areReady: true });
  });

  it('ends the whole when nobody serves and it fails again and again', async () => {
    worker(2).ends(1);
    for (let i = 0; i < 5 && exits.length === 0; i++) {
      worker(1).says({ kind: 'failed', reason: 'broken' });
      worker(1).ends(1);
      await jest.advanceTimersByTimeAsync(2_000);
    }
    expect(exits).toEqual([[1, 'No worker serves, and worker 1 failed 5 times in a row: broken']]);
  });

  it('is killed when it has said nothing for 30 seconds', async () => {
    for (let second = 0; second < 31; second++) {
      worker(1).says({ kind: 'report', connections: 0, isReady: true });
      await jest.advanceTimersByTimeAsync(1000);
    }
    expect([worker(1).kills, worker(2).kills]).toEqual([[], ['SIGKILL']]);
  });

  it('is not listened to any more', async () => {
    const gone = worker(1);
    gone.ends(1);
    gone.says({ kind: 'report', connections: 9, isReady: true });
    await turn();
    expect(worker(2).of('others').at(-1)).toMatchObject({ connections: 0 });
  });
});

describe('what a worker asks', () => {
  beforeEach(serving);

  const ask = (by: number, subject = 'sum'): void => {
    worker(by).says({ kind: 'ask', id: 7, subject, question: null });
  };
  const answer = (by: number, value: unknown): void => {
    const { id } = worker(by).of('question').at(-1)!;
    worker(by).says({ kind: 'answer', id, answer: value });
  };
  const answers = (by: number): readonly unknown[] | undefined => worker(by).of('answers').at(-1)?.answers;

  it('is answered by all, and told together', async () => {
    ask(1);
    answer(1, 3);
    await turn();
    expect(answers(1)).toBeUndefined();
    answer(2, 4);
    await turn();
    expect(answers(1)).toEqual([3, 4]);
  });

  it('does not wait for who is late: what it said last counts, where figures are kept', async () => {
    ask(1);
    answer(1, 3);
    answer(2, 4);
    await turn();
    ask(1);
    answer(1, 5);
    await jest.advanceTimersByTimeAsync(1000);
    expect(answers(1)).toEqual([5, 4]);
    ask(1, 'presence');
    answer(1, 'here');
    await jest.advanceTimersByTimeAsync(1000);
    expect(answers(1)).toEqual(['here']);
  });

  it('counts what those had counted who have ended', async () => {
    ask(1);
    answer(1, 3);
    answer(2, 4);
    await turn();
    worker(2).ends(1);
    await jest.advanceTimersByTimeAsync(100);
    await comesUp(2);
    ask(1);
    answer(1, 3);
    answer(2, 1);
    await turn();
    expect(answers(1)).toEqual([3, 1, 4]);
  });

  it('does not count twice who ends just after its answer', async () => {
    ask(1);
    answer(2, 4);
    worker(2).ends(1);
    answer(1, 3);
    await turn();
    expect(answers(1)).toEqual([3, 4]);
  });
});

describe('the end', () => {
  beforeEach(serving);

  it('is 0 when all have drained', () => {
    supervisor.end('SIGTERM');
    expect([worker(1), worker(2)].map((one) => one.of('drain').length)).toEqual([1, 1]);
    worker(1).ends(0);
    expect(exits).toEqual([]);
    worker(2).ends(0);
    expect(exits).toEqual([[0, undefined]]);
    expect(jest.getTimerCount()).toBeLessThanOrEqual(1);
  });

  it('is 1 when one could not', () => {
    supervisor.end('SIGTERM');
    worker(1).ends(1);
    worker(2).ends(0);
    expect(exits).toEqual([[1, undefined]]);
  });

  it('waits for nobody beyond the grace time, or beyond a second signal', async () => {
    supervisor.end('SIGTERM');
    await jest.advanceTimersByTimeAsync(25_000);
    expect(exits).toEqual([[1, 'Not drained within 25 s after SIGTERM, ending now']]);
    expect([worker(1).kills, worker(2).kills]).toEqual([['SIGKILL'], ['SIGKILL']]);
    supervise();
    await serving();
    supervisor.end('SIGINT');
    supervisor.end('SIGINT');
    expect(exits).toEqual([[1, undefined]]);
  });

  it('comes at once when nobody is there', async () => {
    worker(1).ends(1);
    worker(2).ends(1);
    supervisor.end('SIGTERM');
    expect(exits).toEqual([[0, undefined]]);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(processes).toHaveLength(2);
  });
});
