import { setTimeout as sleep } from 'node:timers/promises';
import type { SseClient } from '../../support/sse-client';
import type { WsClient } from '../../support/ws-client';
import type { Herd } from './herd';
import type { Ledger, Session } from './ledger';
import type { Nodes } from './nodes';
import type { DevicePlan } from './plan';
import type { Random } from './random';

const RECONNECT_MS = [50, 250] as const;
const STAY_MS = [500, 3000] as const;
const AWAY_MS = [200, 2000] as const;
/** Devices wait as long as it takes. */
const FOR_EVER = 2 ** 31 - 1;
/** A close frame's code: the node ends. */
const GOING_AWAY = 1001;

interface Notification {
  readonly id: string;
  readonly payload: { readonly n: number };
}

/** A node's notice that it ends. */
interface Notice {
  readonly type: string;
  readonly reconnect_after_seconds: number;
  readonly reconnect_jitter_ms: number;
}

/** One of a user's apps: connects, writes down what it gets, acknowledges, and connects again whatever happens. */
export class Device {
  /** Resolves when it is connected for the first time. */
  readonly connected: Promise<void>;
  #markConnected: () => void = () => undefined;
  #plan: DevicePlan;
  #leave: () => void = () => undefined;
  #isLeaving = false;
  #isStopped = false;
  #hasBeenConnected = false;
  /** How long the node that ended asked it to stay away. */
  #hintMs: number | undefined;
  readonly #home = new AbortController();
  #life: Promise<void> | undefined;

  constructor(
    readonly user: string,
    plan: DevicePlan,
    private readonly number: number,
    private readonly nodes: Nodes,
    private readonly ledger: Ledger,
    private readonly herd: Herd,
    private readonly random: Random,
    private readonly hasAcks: boolean,
  ) {
    this.#plan = plan;
    this.connected = new Promise((resolve) => (this.#markConnected = resolve));
  }

  get isAbsent(): boolean {
    return this.#plan.presence === 'absent';
  }

  start(): void {
    if (!this.isAbsent) this.#life ??= this.#live();
  }

  /** From now on it stays, and says what it has; who was silent connects anew, to be given again what it never acknowledged. */
  comeHome(): void {
    const { isSilent, presence } = this.#plan;
    this.#plan = { ...this.#plan, presence: 'steady', isSilent: false };
    this.#home.abort();
    if (isSilent) this.#leave();
    if (presence === 'absent') this.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#home.abort();
    this.#leave();
    await this.#life;
  }

  async #live(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await (this.#plan.transport === 'websocket' ? this.#useWebSocket() : this.#useSse());
      } catch {
        // Refused or cut: the next attempt follows.
      }
      const [least, most] = this.#plan.presence === 'roaming' ? AWAY_MS : RECONNECT_MS;
      const pauseMs = this.#hintMs ?? this.random.between(least, most);
      // Who is called home comes at once, but not before a node that ends has let everybody go.
      const signal = this.#hintMs === undefined ? { signal: this.#home.signal } : {};
      this.#hintMs = undefined;
      await sleep(pauseMs, undefined, signal).catch(() => sleep(50));
    }
  }

  async #useWebSocket(): Promise<void> {
    const { ara } = await this.nodes.any(this.random);
    const client = await ara.ws(this.user);
    const closing = this.#stay(() => void client.close(1000));
    try {
      await this.#read(client);
    } finally {
      clearTimeout(closing);
      const { code } = await client.closed;
      this.#gone(code === GOING_AWAY);
    }
  }

  async #read(client: WsClient): Promise<never> {
    const session = this.#session();
    for (;;) {
      const frame = await client.next(undefined, FOR_EVER);
      if (frame.type === 'acked') this.ledger.acknowledged++;
      // The only error that a device gives reason for is a refused acknowledgement.
      if (frame.type === 'acked' || frame.type === 'error') this.ledger.acksUnanswered--;
      if (frame.type === 'shutdown') this.#told(frame.text);
      if (frame.type !== 'notification') continue;
      const { id, payload } = JSON.parse(frame.text) as Notification;
      this.ledger.arrived(session, id, payload.n, performance.now());
      if (!this.hasAcks || session.isSilent) continue;
      client.send({ type: 'Ack', payload: { notification_id: id } });
      this.ledger.acksUnanswered++;
    }
  }

  async #useSse(): Promise<void> {
    const { ara } = await this.nodes.any(this.random);
    const client: SseClient = await ara.sse(this.user);
    this.#stay(() => void client.close());
    try {
      await this.#listen(client);
    } finally {
      // A stream says goodbye with its notice, or not at all.
      this.#gone(this.#hintMs !== undefined);
    }
  }

  async #listen(client: SseClient): Promise<never> {
    const session = this.#session();
    for (;;) {
      const { event, data } = await client.next(undefined, FOR_EVER);
      if (event === 'message') this.#told(data);
      if (event !== 'notification') continue;
      const { id, payload } = JSON.parse(data) as Notification;
      this.ledger.arrived(session, id, payload.n, performance.now());
    }
  }

  #told(text: string): void {
    const notice = JSON.parse(text) as Notice;
    if (notice.type !== 'shutdown') return;
    this.#hintMs = 1000 * notice.reconnect_after_seconds + notice.reconnect_jitter_ms;
  }

  /** A connection has ended; `isGoodbye`: the node said that it would. */
  #gone(isGoodbye: boolean): void {
    if (this.#isLeaving) return;
    if (!isGoodbye) this.herd.cut++;
    else if (this.#hintMs === undefined) this.herd.untold++;
    else this.herd.told++;
  }

  #session(): Session {
    return { user: this.user, device: this.number, isSilent: this.#plan.isSilent };
  }

  #stay(end: () => void): NodeJS.Timeout | undefined {
    const leave = (): void => {
      this.#isLeaving = true;
      end();
    };
    this.#leave = leave;
    this.#isLeaving = false;
    if (this.#hasBeenConnected) this.herd.returned(performance.now());
    this.#hasBeenConnected = true;
    this.#markConnected();
    if (this.#isStopped) leave();
    if (this.#plan.presence !== 'roaming') return undefined;
    return setTimeout(
      () => {
        if (this.#plan.presence === 'roaming') leave();
      },
      this.random.between(...STAY_MS),
    );
  }
}
