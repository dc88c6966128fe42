import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module';
import type { AraConfig } from './config/ara-config';
import { AraHttpAdapter } from './http/ara-http.adapter';
import { AraWsAdapter } from './realtime/ara-ws.adapter';
import { VERSION } from './version';
import { LoneWorker, type Workers } from './workers/workers';

/** The whole service, wired and initialised, not listening yet. */
export async function createApplication(
  config: AraConfig,
  workers: Workers = new LoneWorker(),
): Promise<NestExpressApplication> {
  const options: NestApplicationOptions = { bufferLogs: true, abortOnError: false };
  const module = await AppModule.forRoot(config, VERSION, workers);
  const app = await NestFactory.create<NestExpressApplication>(module, new AraHttpAdapter(), options);
  app.useLogger(app.get(Logger));
  app.useWebSocketAdapter(new AraWsAdapter(app));
  return app;
}
