/** How figures outlive the process that counted them. */
export interface Legacy<Answer> {
  /** Adds the last answer of a process that has ended to what earlier ones left. */
  add(departed: Answer | undefined, last: Answer): Answer;
}

/** What the processes of one machine ask each other: plain data that can be cloned (numbers, texts, arrays, maps). */
export class Subject<Question, Answer> {
  /** Only for the types: a subject holds neither. */
  declare protected readonly asks: [Question, Answer];

  /**
   * @param name unlike all others
   * @param legacy for figures that only grow, so that none falls when a worker dies or is late; its question is null
   */
  constructor(
    readonly name: string,
    readonly legacy?: Legacy<Answer>,
  ) {}
}

/**
 * The processes that serve one port together (WORKERS). What speaks for the whole asks here; a port, so that nobody has to
 * know whether there are others.
 */
export abstract class Workers {
  /** How many processes there are meant to be, this one included. */
  abstract readonly count: number;

  /** Which one this is, from 1; undefined when it is the only one. */
  abstract readonly number: number | undefined;

  /** Seconds since the service started, whenever this process did. */
  abstract uptimeSeconds(): number;

  /**
   * The answers of all processes, this one's among them. Of one that does not answer within a second there is the last
   * answer that it gave when the subject keeps them, else none. Never rejects.
   */
  abstract gather<Q, A>(subject: Subject<Q, A>, question: Q): Promise<readonly A[]>;

  /** Who answers for this process. Set once for each subject, before it serves. */
  abstract onAsk<Q, A>(subject: Subject<Q, A>, answer: (question: Q) => A | Promise<A>): void;

  /** Connections of the other processes, as they were a turn of the event loop ago. */
  abstract readonly connectionsElsewhere: number;

  /** Tells the others how many connections are open here. */
  abstract tellConnections(open: number): void;

  /** Whether all other processes are there and ready. */
  abstract readonly areOthersReady: boolean;

  abstract tellReady(isReady: boolean): void;
}

/** The only process on its port. */
export class LoneWorker extends Workers {
  readonly count: number = 1;
  readonly number = undefined;
  readonly connectionsElsewhere = 0;
  readonly areOthersReady: boolean = true;
  readonly #answers = new Map<string, (question: never) => unknown>();

  uptimeSeconds(): number {
    return process.uptime();
  }

  async gather<Q, A>(subject: Subject<Q, A>, question: Q): Promise<readonly A[]> {
    const answer = this.#answers.get(subject.name) as ((question: Q) => A | Promise<A>) | undefined;
    return answer === undefined ? [] : [await answer(question)];
  }

  onAsk<Q, A>(subject: Subject<Q, A>, answer: (question: Q) => A | Promise<A>): void {
    this.#answers.set(subject.name, answer);
  }

  tellConnections(): void {
    // Nobody wants to know.
  }

  tellReady(): void {
    // Nobody waits for it.
  }
}
