import 'reflect-metadata';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { createApplication } from './application';
import { welcome } from './cli/welcome';
import type { AraConfig } from './config/ara-config';
import { ConfigurationError } from './config/configuration-error';
import { loadConfig } from './config/load-config';

const EXIT_CONFIGURATION = 78;

async function main(): Promise<void> {
  const { config, warnings } = loadConfig({ env: process.env, cwd: process.cwd() });
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  const app = await createApplication(config);
  endOnSignal(app, config);
  await app.listen(config.server.port, config.server.host);
  process.stdout.write(welcome(config, process.cwd()));
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
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`Shutdown failed: ${error instanceof Error ? error.message : String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

main().catch((error: unknown) => {
  if (error instanceof ConfigurationError) {
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIGURATION);
  }
  process.stderr.write(`Ara could not start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
