import cluster, { type Worker } from 'node:cluster';
import type { ToWorker } from './worker-message';
import type { WorkerProcess } from './supervisor';

/** The first argument of a process that is a worker; the second is its number, so that `ps` tells them apart. */
export const WORKER_ARGUMENT = 'worker';

/** Forks this program once more, as a worker. Connections of the shared port are dealt out in turn by this process. */
export function forkWorker(number: number): WorkerProcess {
  cluster.setupPrimary({ args: [WORKER_ARGUMENT, String(number)], serialization: 'advanced' });
  return new ForkedWorker(cluster.fork());
}

class ForkedWorker implements WorkerProcess {
  constructor(private readonly worker: Worker) {}

  get pid(): number | undefined {
    return this.worker.process.pid;
  }

  send(message: ToWorker): void {
    // One that is just ending gets nothing any more; its exit is told apart from that.
    if (this.worker.isConnected()) this.worker.process.send(message, () => undefined);
  }

  kill(signal: NodeJS.Signals): void {
    this.worker.process.kill(signal);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.worker.process.on('message', listener);
  }

  onExit(listener: (code: number | null, signal: string | null) => void): void {
    const child = this.worker.process;
    child.on('exit', (code, signal) => {
      // What it said last may still be in the pipe.
      if (child.connected)
        child.once('disconnect', () => {
          listener(code, signal);
        });
      else listener(code, signal);
    });
    child.on('error', () => {
      // It could not be forked. Else a message could not be sent, which its exit follows.
      if (child.pid === undefined) listener(null, null);
    });
  }
}
