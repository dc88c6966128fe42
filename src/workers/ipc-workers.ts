import { Logger } from '@nestjs/common';
import { Workers, type Subject } from './workers';
import { parseToWorker, type FromWorker, type ToWorker } from './worker-message';

const REPORT_EVERY_MS = 1000;
/** The supervisor waits a second for the answers; when it is late itself, this process speaks for itself alone. */
const ANSWERS_WAIT_MS = 1500;

/** The end of a pipe to the supervisor that a worker holds: `process` is one. */
export interface Pipe {
  send?(message: unknown, onSent?: () => void): unknown;
  readonly connected: boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

type Answer = (question: never) => unknown;
type Assignment = Extract<ToWorker, { kind: 'assignment' }>;

/** The other workers of a supervisor, reached over the pipe that it opened to this process. */
export class IpcWorkers extends Workers {
  readonly #logger = new Logger('Workers');
  readonly #answers = new Map<string, Answer>();
  readonly #asked = new Map<number, (answers: readonly unknown[]) => void>();
  /** Whoever asks the same meanwhile gets the same answers, so that many scrapes cost what one does. */
  readonly #underWay = new Map<string, Promise<readonly unknown[]>>();
  #lastId = 0;
  #connections = 0;
  #isReady = false;
  #isReportDue = false;
  #others = { connections: 0, areReady: false };
  #listen: (() => void) | undefined;
  readonly #mayListen: Promise<void>;
  #drain: () => void = () => {
    // Nothing is open yet.
    process.exit(0);
  };

  private constructor(
    private readonly pipe: Pipe,
    readonly assignment: Assignment,
  ) {
    super();
    this.#mayListen = new Promise((resolve) => (this.#listen = resolve));
    setInterval(() => {
      this.report();
    }, REPORT_EVERY_MS).unref();
  }

  /** Resolves when the supervisor has said who this process is. */
  static async join(pipe: Pipe): Promise<IpcWorkers> {
    return new Promise((resolve) => {
      let workers: IpcWorkers | undefined;
      pipe.on('message', (raw) => {
        const message = parseToWorker(raw);
        if (message === undefined) return;
        if (message.kind !== 'assignment') workers?.hear(message);
        else resolve((workers = new IpcWorkers(pipe, message)));
      });
    });
  }

  get count(): number {
    return this.assignment.config.server.workers;
  }

  get number(): number {
    return this.assignment.number;
  }

  uptimeSeconds(): number {
    return (Date.now() - this.assignment.startedAt) / 1000;
  }

  get connectionsElsewhere(): number {
    return this.#others.connections;
  }

  get areOthersReady(): boolean {
    return this.#others.areReady;
  }

  /** What to do when the supervisor wants this process to end. Until it is set, it ends at once. */
  onDrain(drain: () => void): void {
    this.#drain = drain;
  }

  /** Resolves when all workers are prepared. */
  async prepared(): Promise<void> {
    this.send({ kind: 'prepared' });
    await this.#mayListen;
  }

  listening(): void {
    this.send({ kind: 'listening' });
  }

  /** Resolves when the supervisor has been told why this process cannot start. */
  failed(reason: string): Promise<void> {
    return new Promise((resolve) => {
      if (!this.pipe.connected) resolve();
      else
        this.pipe.send?.({ kind: 'failed', reason } satisfies FromWorker, () => {
          resolve();
        });
    });
  }

  tellConnections(open: number): void {
    this.#connections = open;
    this.reportSoon();
  }

  tellReady(isReady: boolean): void {
    if (this.#isReady === isReady) return;
    this.#isReady = isReady;
    this.reportSoon();
  }

  onAsk<Q, A>(subject: Subject<Q, A>, answer: (question: Q) => A | Promise<A>): void {
    this.#answers.set(subject.name, answer);
  }

  async gather<Q, A>(subject: Subject<Q, A>, question: Q): Promise<readonly A[]> {
    const key = `${subject.name} ${JSON.stringify(question)}`;
    let answers = this.#underWay.get(key);
    if (answers === undefined) {
      answers = this.ask(subject.name, question).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, answers);
    }
    return (await answers) as readonly A[];
  }

  private async ask(subject: string, question: unknown): Promise<readonly unknown[]> {
    const id = ++this.#lastId;
    const answers = await new Promise<readonly unknown[] | undefined>((resolve) => {
      const late = setTimeout(resolve, ANSWERS_WAIT_MS, undefined);
      this.#asked.set(id, (given) => {
        clearTimeout(late);
        resolve(given);
      });
      this.send({ kind: 'ask', id, subject, question });
    });
    this.#asked.delete(id);
    if (answers !== undefined) return answers;
    const own = await this.answerTo(subject, question);
    return own === undefined ? [] : [own];
  }

  private hear(message: ToWorker): void {
    switch (message.kind) {
      case 'listen':
        this.#listen?.();
        break;
      case 'drain':
        this.#drain();
        break;
      case 'others':
        this.#others = message;
        break;
      case 'answers':
        this.#asked.get(message.id)?.(message.answers);
        break;
      case 'question':
        void this.answerTo(message.subject, message.question).then((answer) => {
          this.send({ kind: 'answer', id: message.id, answer });
        });
        break;
      case 'assignment':
        break;
    }
  }

  /** undefined: it cannot be told. Never rejects. */
  private async answerTo(subject: string, question: unknown): Promise<unknown> {
    try {
      return await this.#answers.get(subject)?.(question as never);
    } catch (error) {
      this.#logger.error({ msg: 'Could not answer another worker', err: error });
      return undefined;
    }
  }

  private reportSoon(): void {
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    setImmediate(() => {
      this.report();
    });
  }

  private report(): void {
    this.#isReportDue = false;
    this.send({ kind: 'report', connections: this.#connections, isReady: this.#isReady });
  }

  private send(message: FromWorker): void {
    // Without its supervisor, Node ends the process.
    if (this.pipe.connected) this.pipe.send?.(message);
  }
}
