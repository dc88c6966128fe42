import { get } from 'node:http';
import { WebSocket } from 'ws';
import type { AraProcess } from '../../support/ara-process';
import { tokenFor } from '../../support/tokens';
import type { Random } from '../audit/random';

const STEADY = 60;
const ROAMING = 200;
const SHORTEST_LIFE_MS = 200;
const LONGEST_LIFE_MS = 6000;
const COMES_BACK_MS = 500;
/** Never the same names again, so that whoever keeps a name grows. */
const NAMES = 1_000_000_000;

/** Connections that stay, and many more that come and go, each in one of the ways in which clients do. */
export class Churn {
  opened = 0;
  refused = 0;
  received = 0;
  #isOver = false;
  readonly #open = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly ara: AraProcess,
    private readonly random: Random,
  ) {}

  get openNow(): number {
    return this.#open.size;
  }

  begin(perSecond: number): void {
    for (let n = 0; n < STEADY; n++) this.#stay(`steady-${n}`, n % 6 === 0);
    this.#timer = setInterval(() => {
      this.#visit();
    }, 1000 / perSecond);
  }

  /** Nobody comes any more, and everybody goes. */
  end(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const close of [...this.#open]) close();
  }

  /** Somebody who may or may not be there. */
  someUser(): string {
    const kind = this.random.between(0, 9);
    if (kind < 5) return `steady-${this.random.between(0, STEADY - 1)}`;
    return kind < 9 ? `roaming-${this.random.between(0, ROAMING - 1)}` : `absent-${this.random.between(0, NAMES - 1)}`;
  }

  /** Comes back at once when the service or the network ends it. */
  #stay(user: string, isSse: boolean): void {
    const again = (): void => {
      setTimeout(() => {
        if (!this.#isOver) this.#stay(user, isSse);
      }, COMES_BACK_MS);
    };
    if (isSse) this.#sse(user, undefined, again);
    else this.#webSocket(user, undefined, again);
  }

  #visit(): void {
    const user = `roaming-${this.random.between(0, ROAMING - 1)}`;
    const lifeMs = this.random.between(SHORTEST_LIFE_MS, LONGEST_LIFE_MS);
    const kind = this.random.between(0, 19);
    if (kind < 13) this.#webSocket(user, lifeMs);
    else if (kind < 17) this.#sse(user, lifeMs);
    else if (kind < 18) this.#webSocket(user, 0);
    else if (kind < 19) this.#sse(user, 0);
    else this.#intrude();
  }

  #webSocket(user: string, lifeMs: number | undefined, ended: () => void = () => undefined): void {
    const socket = new WebSocket(`${this.ara.url.replace('http', 'ws')}/ws?token=${tokenFor(user)}`, {
      perMessageDeflate: false,
    });
    const isSilent = this.random.between(0, 9) === 0;
    this.#track(lifeMs, () => {
      // Half of them say goodbye.
      if (this.random.between(0, 1) === 0 || socket.readyState !== WebSocket.OPEN) socket.terminate();
      else socket.close();
    });
    socket.on('open', () => {
      this.opened++;
      const channels = ['news', ...Array.from({ length: this.random.between(0, 4) }, () => this.#newName())];
      socket.send(JSON.stringify({ type: 'Subscribe', payload: { channels } }));
      if (this.random.between(0, 2) === 0) {
        socket.send(JSON.stringify({ type: 'Unsubscribe', payload: { channels: channels.slice(1) } }));
      }
    });
    socket.on('message', (data: Buffer) => {
      const { type, id } = JSON.parse(data.toString()) as { type: string; id?: string };
      if (type !== 'notification') return;
      this.received++;
      if (!isSilent && socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ type: 'Ack', payload: { notification_id: id } }));
      }
    });
    socket.on('error', () => this.refused++);
    socket.on('close', ended);
  }

  #sse(user: string, lifeMs: number | undefined, ended: () => void = () => undefined): void {
    const query = `token=${tokenFor(user)}&channels=${this.#newName()}`;
    const request = get(`${this.ara.url}/sse?${query}`, { agent: false }, (answer) => {
      this.opened++;
      answer.on('data', () => this.received++).on('error', () => undefined);
    });
    this.#track(lifeMs, () => request.destroy());
    request.on('error', () => this.refused++).on('close', ended);
  }

  /** Without a token that is one. */
  #intrude(): void {
    const socket = new WebSocket(`${this.ara.url.replace('http', 'ws')}/ws?token=no`);
    socket.on('error', () => this.refused++);
  }

  /** Undefined: until the end. */
  #track(lifeMs: number | undefined, close: () => void): void {
    const end = (): void => {
      this.#open.delete(end);
      clearTimeout(timer);
      close();
    };
    const timer = lifeMs === undefined ? undefined : setTimeout(end, lifeMs);
    this.#open.add(end);
  }

  #newName(): string {
    return `channel-${this.random.between(0, NAMES - 1)}`;
  }
}
