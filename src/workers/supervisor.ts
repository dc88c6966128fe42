import type { AraConfig } from '../config/ara-config';
import { nodeId } from '../notification/ids';
import { Gatherings } from './gatherings';
import { parseFromWorker, type FromWorker, type ToWorker } from './worker-message';
import type { Subject } from './workers';

const WATCH_EVERY_MS = 1000;
/** A worker reports every second; one that has been silent for so many looks at the clock of this process is stuck. */
const SILENT_LOOKS = 30;
const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 30_000;
/** Who has served for so long starts anew with the shortest pause. */
const STEADY_MS = 60_000;
/** When nobody serves, so many failed starts in a row of one worker end the whole. */
const MAX_FAILED_STARTS = 5;

/** One process of those that serve: what `node:cluster` forks. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  send(message: ToWorker): void;
  kill(signal: NodeJS.Signals): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, also when it could not be started at all. */
  onExit(listener: (code: number | null, signal: string | null) => void): void;
}

export interface SupervisorMeans {
  /** Starts the process of the worker of this number. */
  readonly fork: (number: number) => WorkerProcess;
  /** Subjects with a legacy. */
  readonly kept: readonly Subject<null, unknown>[];
  /** All workers listen, for the first time. */
  readonly onReady: () => void;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** The whole is over. `reason`: for the operator, on the standard error. */
  readonly exit: (code: number, reason?: string) => void;
}

interface Worker {
  readonly number: number;
  process: WorkerProcess | undefined;
  /** `loading`: it has not said anything yet. */
  phase: 'away' | 'loading' | 'starting' | 'prepared' | 'serving';
  connections: number;
  isReady: boolean;
  silentLooks: number;
  failedStarts: number;
  servingSince: number;
  /** Why it could not start, in its own words. */
  reason: string | undefined;
  restart: NodeJS.Timeout | undefined;
}

/**
 * Keeps WORKERS processes serving one port: starts them, opens the port when all are prepared, carries what they ask each
 * other, replaces whoever dies or hangs, and ends them together. It handles no request itself.
 */
export class Supervisor {
  readonly #workers: readonly Worker[];
  readonly #gatherings: Gatherings;
  readonly #startedAt = Date.now();
  #hasStarted = false;
  #isEnding = false;
  #isOver = false;
  #hasFailedExit = false;
  #isTellDue = false;
  #watch: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: AraConfig,
    private readonly means: SupervisorMeans,
  ) {
    this.#gatherings = new Gatherings(means.kept);
    this.#workers = Array.from({ length: config.server.workers }, (_, i) => ({
      number: i + 1,
      process: undefined,
      phase: 'away',
      connections: 0,
      isReady: false,
      silentLooks: 0,
      failedStarts: 0,
      servingSince: 0,
      reason: undefined,
      restart: undefined,
    }));
  }

  start(): void {
    for (const worker of this.#workers) this.launch(worker);
    this.#watch = setInterval(() => {
      this.look();
    }, WATCH_EVERY_MS);
  }

  /** The first time all workers drain, and the whole ends with 0 when each has; the second time it ends at once, with 1. */
  end(signal: string): void {
    if (this.#isEnding) {
      this.over(1);
      return;
    }
    this.#isEnding = true;
    for (const worker of this.#workers) {
      clearTimeout(worker.restart);
      worker.process?.send({ kind: 'drain' });
    }
    const { shutdownGraceSeconds } = this.config.server;
    this.#grace = setTimeout(() => {
      this.over(1, `Not drained within ${shutdownGraceSeconds} s after ${signal}, ending now`);
    }, shutdownGraceSeconds * 1000);
    this.endIfAllHave();
  }

  private launch(worker: Worker): void {
    const forked = this.means.fork(worker.number);
    Object.assign(worker, { process: forked, phase: 'loading', isReady: false, silentLooks: 0, reason: undefined });
    forked.onMessage((raw) => {
      const message = parseFromWorker(raw);
      if (message !== undefined && worker.process === forked) this.hear(worker, message);
    });
    forked.onExit((code, signal) => {
      if (worker.process === forked) this.lost(worker, code, signal);
    });
    forked.send({
      kind: 'assignment',
      number: worker.number,
      config: configOf(this.config, worker.number),
      startedAt: this.#startedAt,
    });
  }

  private hear(worker: Worker, message: FromWorker): void {
    worker.silentLooks = 0;
    if (worker.phase === 'loading') worker.phase = 'starting';
    switch (message.kind) {
      case 'prepared':
        worker.phase = 'prepared';
        this.openPort();
        break;
      case 'listening':
        this.serving(worker);
        break;
      case 'failed':
        worker.reason = message.reason;
        break;
      case 'report':
        worker.connections = message.connections;
        worker.isReady = message.isReady;
        this.tellOthers();
        break;
      case 'ask':
        void this.gather(worker, message);
        break;
      case 'answer':
        this.#gatherings.answer(worker.number, message.id, message.answer);
        break;
    }
  }

  /** At the first start all open it together, so that none has the clients of all who came first. */
  private openPort(): void {
    if (!this.#hasStarted && !this.#workers.every(({ phase }) => phase === 'prepared')) return;
    for (const worker of this.#workers) if (worker.phase === 'prepared') worker.process?.send({ kind: 'listen' });
  }

  private serving(worker: Worker): void {
    worker.phase = 'serving';
    worker.servingSince = performance.now();
    if (this.#hasStarted) {
      this.means.log('info', `Worker ${worker.number} serves again`, { worker: worker.number });
    } else if (this.#workers.every(({ phase }) => phase === 'serving')) {
      this.#hasStarted = true;
      this.means.onReady();
    }
    this.tellOthers();
  }

  private async gather(worker: Worker, { id, subject, question }: Extract<FromWorker, { kind: 'ask' }>): Promise<void> {
    const asker = worker.process;
    const able = this.#workers.filter(({ phase }) => phase === 'serving' || phase === 'prepared');
    const answers = await this.#gatherings.gather(
      subject,
      able.map(({ number }) => number),
      (number, questionId) => {
        this.#workers[number - 1]?.process?.send({ kind: 'question', id: questionId, subject, question });
      },
    );
    if (worker.process === asker) asker?.send({ kind: 'answers', id, answers });
  }

  private lost(worker: Worker, code: number | null, signal: string | null): void {
    const { number, phase, process: gone } = worker;
    Object.assign(worker, { process: undefined, phase: 'away', connections: 0, isReady: false });
    this.#gatherings.forget(number);
    this.tellOthers();
    if (this.#isOver) return;
    if (this.#isEnding) {
      this.#hasFailedExit ||= code !== 0;
      this.endIfAllHave();
      return;
    }
    const reason = worker.reason ?? `it ended ${signal === null ? `with code ${code ?? '?'}` : `by ${signal}`}`;
    if (!this.#hasStarted) {
      this.over(1, `Ara could not start: ${worker.reason ?? `worker ${number}: ${reason}`}`);
      return;
    }
    const wasSteady = phase === 'serving' && performance.now() - worker.servingSince >= STEADY_MS;
    worker.failedStarts = wasSteady ? 0 : worker.failedStarts + 1;
    if (worker.failedStarts >= MAX_FAILED_STARTS && this.#workers.every((one) => one.phase !== 'serving')) {
      this.over(1, `No worker serves, and worker ${number} failed ${worker.failedStarts} times in a row: ${reason}`);
      return;
    }
    const pauseMs = Math.min(FIRST_RESTART_MS * 2 ** Math.max(0, worker.failedStarts - 1), LONGEST_RESTART_MS);
    this.means.log('error', `Worker ${number} is gone: ${reason}. It is started again in ${pauseMs} ms`, {
      worker: number,
      worker_pid: gone?.pid,
    });
    worker.restart = setTimeout(() => {
      this.launch(worker);
    }, pauseMs);
  }

  /** Counted in looks, not by the clock: after a pause of the whole machine nobody is late. */
  private look(): void {
    if (this.#isEnding) return;
    for (const worker of this.#workers) {
      // A machine that is very busy may take longer than that to load a program.
      if (worker.process === undefined || worker.phase === 'loading') continue;
      if (++worker.silentLooks < SILENT_LOOKS) continue;
      worker.silentLooks = 0;
      this.means.log('error', `Worker ${worker.number} has been silent for ${SILENT_LOOKS} s and is killed`, {
        worker: worker.number,
        worker_pid: worker.process.pid,
      });
      worker.process.kill('SIGKILL');
    }
  }

  /** Once per turn, however much has changed. */
  private tellOthers(): void {
    if (this.#isTellDue) return;
    this.#isTellDue = true;
    setImmediate(() => {
      this.#isTellDue = false;
      const all = this.#workers.reduce((sum, { connections }) => sum + connections, 0);
      for (const worker of this.#workers) {
        const others = this.#workers.filter((one) => one !== worker);
        const areReady = others.every(({ phase, isReady }) => phase === 'serving' && isReady);
        worker.process?.send({ kind: 'others', connections: all - worker.connections, areReady });
      }
    });
  }

  private endIfAllHave(): void {
    if (this.#workers.every((worker) => worker.process === undefined)) this.over(this.#hasFailedExit ? 1 : 0);
  }

  private over(code: number, reason?: string): void {
    if (this.#isOver) return;
    this.#isOver = this.#isEnding = true;
    clearInterval(this.#watch);
    clearTimeout(this.#grace);
    for (const worker of this.#workers) {
      clearTimeout(worker.restart);
      worker.process?.kill('SIGKILL');
    }
    this.means.exit(code, reason);
  }
}

/** The configuration of one worker: the same, but for its name in the cluster. */
function configOf(config: AraConfig, number: number): AraConfig {
  // oxlint-disable-next-line typescript/no-misused-spread -- it is data, a class only to be a token
  return { ...config, cluster: { ...config.cluster, nodeId: nodeId(`${config.cluster.nodeId}-w${number}`) } };
}
