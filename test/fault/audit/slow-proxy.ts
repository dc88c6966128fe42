import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Stands between Ara and its store and lets every byte, in both directions, wait. */
export class SlowProxy {
  readonly #sockets = new Set<Socket>();
  #stalledUntil = 0;

  private constructor(
    private readonly server: Server,
    private readonly delayMs: () => number,
  ) {}

  /** `delayMs` is asked for each piece; their order stays. */
  static async to(port: number, delayMs: () => number, host = '127.0.0.1'): Promise<SlowProxy> {
    const server = createServer();
    const proxy = new SlowProxy(server, delayMs);
    server.on('connection', (near) => {
      const far = connect(port, '127.0.0.1');
      proxy.#pipe(near, far);
      proxy.#pipe(far, near);
    });
    await new Promise<void>((listening) => server.listen(0, host, listening));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Nothing passes for so long. */
  stall(ms: number): void {
    this.#stalledUntil = performance.now() + ms;
  }

  close(): void {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pipe(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    // One after the other: timers of their own could overtake each other by a millisecond.
    let last = Promise.resolve();
    from.on('data', (bytes) => {
      const due = performance.now() + this.delayMs();
      last = last.then(async () => {
        const wait = Math.max(due, this.#stalledUntil) - performance.now();
        if (wait > 0) await sleep(wait);
        if (to.writable) to.write(bytes);
      });
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
