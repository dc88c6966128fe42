import 'reflect-metadata';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { welcome } from './cli/welcome';
import type { AraConfig } from './config/ara-config';
import { ConfigurationError } from './config/configuration-error';
import { loadConfig } from './config/load-config';
import { TOTALS } from './rest/totals';
import { createLogger } from './telemetry/logging';
import { METRICS } from './telemetry/metrics-snapshot';
import { forkWorker, WORKER_ARGUMENT } from './workers/forked-worker';
import { IpcWorkers } from './workers/ipc-workers';
import { Supervisor } from './workers/supervisor';
import type { Workers } from './workers/workers';

const EXIT_CONFIGURATION = 78;

async function main(): Promise<void> {
  const { config, warnings } = loadConfig({ env: process.env, cwd: process.cwd() });
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  if (config.server.workers > 1) {
    await supervise(config);
    return;
  }
  const app = await create(config);
  endOnSignal(app, config);
  await app.listen(config.server.port, config.server.host);
  process.stdout.write(welcome(config, process.cwd()));
}

/** Loaded only where it is needed: a supervisor does without. */
async function create(config: AraConfig, workers?: Workers): Promise<NestExpressApplication> {
  const { createApplication } = await import('./application.js');
  return createApplication(config, workers);
}

/** The first signal drains and ends with 0; a second one, or the end of the grace time, ends at once. */
function endOnSignal(app: NestExpressApplication, config: AraConfig): void {
  let isEnding = false;
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) process.exit(1);
    isEnding = true;
    setTimeout(() => {
      process.stderr.write(`Not drained within ${config.server.shutdownGraceSeconds} s after ${signal}, ending now\n`);
      process.exit(1);
    }, config.server.shutdownGraceSeconds * 1000).unref();
    drain(app);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

function drain(app: NestExpressApplication): void {
  app.close().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`Shutdown failed: ${reasonOf(error)}\n`);
      process.exit(1);
    },
  );
}

/** Runs WORKERS processes like this one. It has read the configuration; they get it from here. */
async function supervise(config: AraConfig): Promise<void> {
  const logger = (await createLogger(config.telemetry)).child({ context: 'Supervisor' });
  const supervisor = new Supervisor(config, {
    fork: forkWorker,
    kept: [METRICS, TOTALS],
    onReady: () => process.stdout.write(welcome(config, process.cwd())),
    log: (level, message, fields = {}) => {
      logger[level](fields, message);
    },
    exit: (code, reason) => {
      if (reason !== undefined) process.stderr.write(`${reason}\n`);
      process.exit(code);
    },
  });
  process.on('SIGTERM', (signal) => {
    supervisor.end(signal);
  });
  process.on('SIGINT', (signal) => {
    supervisor.end(signal);
  });
  supervisor.start();
}

/** One of WORKERS processes. Ends when the supervisor says so, or is gone; an operator's signal makes it drain, too. */
async function work(): Promise<void> {
  if (process.send === undefined) throw new Error(`"${WORKER_ARGUMENT}" is for the supervisor to say: set WORKERS`);
  const workers = await IpcWorkers.join(process);
  const { config } = workers.assignment;
  try {
    const app = await create(config, workers);
    let isEnding = false;
    const end = (): void => {
      // A terminal's Ctrl-C comes to every process, and once more from the supervisor, who also keeps the time.
      if (isEnding) return;
      isEnding = true;
      drain(app);
    };
    process.on('SIGTERM', end);
    process.on('SIGINT', end);
    workers.onDrain(end);
    await app.init();
    await workers.prepared();
    await app.listen(config.server.port, config.server.host);
    workers.listening();
  } catch (error) {
    await workers.failed(reasonOf(error));
    process.exit(1);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const role = process.argv[2] === WORKER_ARGUMENT ? work : main;
role().catch((error: unknown) => {
  if (error instanceof ConfigurationError) {
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIGURATION);
  }
  process.stderr.write(`Ara could not start: ${reasonOf(error)}\n`);
  process.exit(1);
});
