import { setTimeout as sleep } from 'node:timers/promises';
import type { SseClient } from '../../support/sse-client';
import type { WsClient } from '../../support/ws-client';
import type { Ledger, Session } from './ledger';
import type { Node } from './node';
import type { DevicePlan } from './plan';
import type { Random } from './random';

const RECONNECT_MS = [50, 250] as const;
const STAY_MS = [500, 3000] as const;
const AWAY_MS = [200, 2000] as const;
/** Devices wait as long as it takes. */
const FOR_EVER = 2 ** 31 - 1;

interface Notification {
  readonly id: string;
  readonly payload: { readonly n: number };
}

/** One of a user's apps: connects, writes down what it gets, acknowledges, and connects again whatever happens. */
export class Device {
  /** Resolves when it is connected for the first time. */
  readonly connected: Promise<void>;
  #markConnected: () => void = () => undefined;
  #plan: DevicePlan;
  #leave: () => void = () => undefined;
  #isStopped = false;
  readonly #home = new AbortController();
  #life: Promise<void> | undefined;

  constructor(
    readonly user: string,
    plan: DevicePlan,
    private readonly number: number,
    private readonly node: Node,
    private readonly ledger: Ledger,
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
      await sleep(this.random.between(least, most), undefined, { signal: this.#home.signal }).catch(() => sleep(50));
      await this.node.up.catch(() => undefined);
    }
  }

  async #useWebSocket(): Promise<void> {
    const client = await this.node.ara.ws(this.user);
    const closing = this.#stay(() => void client.close(1000));
    try {
      await this.#read(client);
    } finally {
      clearTimeout(closing);
    }
  }

  async #read(client: WsClient): Promise<never> {
    const session = this.#session();
    for (;;) {
      const frame = await client.next(undefined, FOR_EVER);
      if (frame.type === 'acked') this.ledger.acknowledged++;
      // The only error that a device gives reason for is a refused acknowledgement.
      if (frame.type === 'acked' || frame.type === 'error') this.ledger.acksUnanswered--;
      if (frame.type !== 'notification') continue;
      const { id, payload } = JSON.parse(frame.text) as Notification;
      this.ledger.arrived(session, id, payload.n, performance.now());
      if (!this.hasAcks || session.isSilent) continue;
      client.send({ type: 'Ack', payload: { notification_id: id } });
      this.ledger.acksUnanswered++;
    }
  }

  async #useSse(): Promise<never> {
    const client: SseClient = await this.node.ara.sse(this.user);
    this.#stay(() => void client.close());
    const session = this.#session();
    for (;;) {
      const { data } = await client.next('notification', FOR_EVER);
      const { id, payload } = JSON.parse(data) as Notification;
      this.ledger.arrived(session, id, payload.n, performance.now());
    }
  }

  #session(): Session {
    return { user: this.user, device: this.number, isSilent: this.#plan.isSilent };
  }

  #stay(leave: () => void): NodeJS.Timeout | undefined {
    this.#leave = leave;
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
